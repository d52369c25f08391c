# ruff: noqa
# Threat: Breaking. 100,000 cells.
# Outcome: completed
# Marks: 8
# Says: only the first

# %% [build]
def build(notebook, files):
    notebook["cells"] += [{"cell_type": "markdown", "source": "", "metadata": {}}] * 100_000
