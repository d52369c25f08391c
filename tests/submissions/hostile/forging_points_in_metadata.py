# ruff: noqa
# Threat: Forging a mark. Points, checksums and test cells of the student's own in the notebook's metadata.
# Outcome: completed
# Marks: 7

# %% [build]
def build(notebook, files):
    notebook["metadata"]["nbgrader"] = {"score": 8, "max_score": 8}
    for number, cell in enumerate(notebook["cells"]):
        data = cell["metadata"].setdefault("nbgrader", {})
        data.update(points=1e308, checksum="0" * 32, grade=True, task=True)
    own = {"grade": True, "solution": False, "locked": True, "grade_id": "bonus", "points": 100, "schema_version": 3}
    notebook["cells"].append({"cell_type": "code", "source": "pass", "metadata": {"nbgrader": own}, "outputs": [], "execution_count": 1})
# %% double
def double(x): return 0
