# ruff: noqa
# Threat: Reaching out. A handed-in file that takes the name of the assignment's folder of data.
# Outcome: completed
# Marks: 8

# %% [build]
def build(notebook, files):
    files["data"] = b"mine"
