# ruff: noqa
# Threat: Breaking. JSON that is no notebook: a number, a list of lists, cells that are strings.
# Outcome: completed
# Marks: 0

# %% [build]
def build(notebook, files):
    return b'{"cells": ["x", 7, null, [], {"cell_type": []}, {"cell_type": "code", "source": {"a": 1}}], "metadata": 3, "nbformat": "four"}'
