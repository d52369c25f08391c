# ruff: noqa
# Threat: Breaking. Ids that the assignment does not know, of every type.
# Outcome: completed
# Marks: 8

# %% [build]
def build(notebook, files):
    odd = [None, 7, "", "x" * 10**5, {"a": 1}, ["double"], True, "\ud800", "../../etc", "<script>"]
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = odd[number % len(odd)]
        if cell["metadata"].get("nbgrader"):
            cell["metadata"]["nbgrader"]["grade_id"] = odd[number % len(odd)]
