# ruff: noqa
# Threat: Breaking. JSON 100,000 deep.
# Outcome: completed
# Marks: 0
# Says: nothing of it could be used

# %% [build]
def build(notebook, files):
    return b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b', "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
