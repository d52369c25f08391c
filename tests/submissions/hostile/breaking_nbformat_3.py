# ruff: noqa
# Threat: Breaking. A notebook of nbformat 3.
# Outcome: completed
# Marks: 8

# %% [build]
def build(notebook, files):
    import json
    cells = [{**cell, "input": cell["source"], "language": "python", "prompt_number": 1} for cell in notebook["cells"]]
    for cell in cells: cell.pop("source"), cell.pop("id", None)
    return json.dumps({"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": cells, "metadata": {}}]}).encode()
