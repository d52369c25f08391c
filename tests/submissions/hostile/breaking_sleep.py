# ruff: noqa
# Threat: Breaking. Sleeping for ever, which takes no CPU time.
# Outcome: completed
# Marks: 8
# Limits: cell_wall_seconds=1

# %% before double
import time
time.sleep(10**6)
