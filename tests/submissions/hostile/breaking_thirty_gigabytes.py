# ruff: noqa
# Threat: Breaking. 30 GB of memory at once and in parts, and by torch.
# Outcome: memory exceeded
# Marks: 8
# Limits: cell_cpu_seconds=30 cpu_seconds=60 cell_wall_seconds=60 wall_seconds=120

# %% before double
import torch
try: block = torch.ones(30 * 2**28)
except RuntimeError as fault: print(fault)
try: block = bytearray(30 * 2**30)
except MemoryError as fault: print(fault)
hoard = []
while True: hoard.append(bytearray(10**7))
