# ruff: noqa
# Threat: Breaking. Every cell twice, ids and all; the copies first, and wrong.
# Outcome: completed
# Marks: 8
# Says: was there 2 times

# %% [build]
def build(notebook, files):
    import copy
    copies = copy.deepcopy(notebook["cells"])
    for cell in copies:
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            cell["source"] = cell["source"].split("\n")[0] + "\n    return None" if cell["source"].startswith("def") else cell["source"]
    notebook["cells"] = copies + notebook["cells"]
