# ruff: noqa
# Threat: Breaking. An `.ipynb` of no bytes.
# Outcome: completed
# Marks: 0
# Says: missing or empty

# %% [build]
def build(notebook, files):
    return b""
