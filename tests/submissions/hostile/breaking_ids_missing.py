# ruff: noqa
# Threat: Breaking. All cell ids and nbgrader's metadata lost.
# Outcome: completed
# Marks: 8
# Says: its id was lost

# %% [build]
def build(notebook, files):
    for cell in notebook["cells"]:
        cell.pop("id", None)
        cell["metadata"] = {}
