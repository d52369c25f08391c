# ruff: noqa
# Threat: Breaking. Wrong schema versions and metadata of the wrong types throughout.
# Outcome: completed
# Marks: 8

# %% [build]
def build(notebook, files):
    for number, cell in enumerate(notebook["cells"]):
        data = cell["metadata"].get("nbgrader")
        if data:
            data.update(schema_version=[-1, "three", None, 10**9, 1, 2][number % 6], points="many", grade=None, locked="no", checksum=7)
    notebook["nbformat"], notebook["nbformat_minor"] = 4, "five"
