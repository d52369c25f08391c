# ruff: noqa
# Threat: Breaking. An `.ipynb` that is a picture.
# Outcome: completed
# Marks: 0
# Says: nothing of it could be used

# %% [build]
def build(notebook, files):
    return b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100
