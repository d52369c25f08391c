# ruff: noqa
# Threat: Breaking. SIGSTOP to itself: neither running nor ended.
# Outcome: wall time exceeded
# Marks: 8
# Limits: cell_wall_seconds=1

# %% before double
import os, signal
os.kill(os.getpid(), signal.SIGSTOP)
