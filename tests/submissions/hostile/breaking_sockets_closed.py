# ruff: noqa
# Threat: Breaking. Closing every descriptor of the kernel: sockets, channel and all.
# Outcome: completed | process ended | wall time exceeded
# Marks: 8
# Limits: cell_wall_seconds=1

# %% before double
import os
os.closerange(3, 256)
