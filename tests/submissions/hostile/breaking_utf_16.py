# ruff: noqa
# Threat: Breaking. A notebook in UTF-16 with a byte order mark, with NaN and huge numbers in its metadata.
# Outcome: completed
# Marks: 8

# %% [build]
def build(notebook, files):
    import json
    notebook["metadata"] = {"x": float("nan"), "y": float("inf"), "z": 10**4000}
    return json.dumps(notebook).encode("utf-16")
