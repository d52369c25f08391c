# ruff: noqa
# Threat: Breaking. A notebook with the marks of a merge conflict in it.
# Outcome: completed
# Marks: 2

# %% [build]
def build(notebook, files):
    import json
    lines = json.dumps(notebook, indent=1).split("\n")
    middle = len(lines) // 2
    return "\n".join([*lines[:middle], "<<<<<<< HEAD", *lines[middle:middle + 2], "=======", ">>>>>>> main", *lines[middle:]]).encode()
