# ruff: noqa
# Threat: Breaking. The ids of two answers swapped.
# Outcome: completed
# Marks: 8

# %% [build]
def build(notebook, files):
    cells = [cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("solution")]
    cells[0]["metadata"], cells[-1]["metadata"] = cells[-1]["metadata"], cells[0]["metadata"]
