# ruff: noqa
# Threat: Breaking. All answers merged into one cell of the student's own, with the answer cells deleted.
# Outcome: completed
# Marks: 8

# %% [build]
def build(notebook, files):
    answers = [cell["source"] for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("solution")]
    notebook["cells"] = [{"cell_type": "code", "source": "import torch\n" + "\n\n".join(answers), "metadata": {}, "outputs": []}]
