# ruff: noqa
# Threat: Breaking. `os._exit` in the middle of the notebook.
# Outcome: process ended
# Marks: 8
# Says: the tests ran without it

# %% before double
import os
os._exit(0)
