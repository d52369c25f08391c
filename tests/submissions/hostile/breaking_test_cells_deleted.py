# ruff: noqa
# Threat: Breaking. Test and given cells deleted, and all others in reverse.
# Outcome: completed
# Marks: 8
# Says: had been deleted; the original was used

# %% [build]
def build(notebook, files):
    kept = [cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("solution")]
    notebook["cells"] = kept[::-1]
