# ruff: noqa
# Threat: Breaking. Memory in many processes, each well below the limit.
# Outcome: completed | memory exceeded | cpu time exceeded
# Marks: 8

# %% before double
import os, time
for _ in range(20):
    if os.fork() == 0:
        part = b"x" * (100 * 2**20)
        time.sleep(3)
        os._exit(0)
time.sleep(1)
