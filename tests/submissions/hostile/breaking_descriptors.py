# ruff: noqa
# Threat: Breaking. Every descriptor taken, in the kernel and in what it starts.
# Outcome: completed | process ended | wall time exceeded
# Marks: 8
# Limits: cell_wall_seconds=1

# %% before double
import os
held = []
try:
    while True: held.append(os.open("/dev/null", os.O_RDONLY))
except OSError as fault: print(fault)
# %%
for fd in held: os.close(fd)
