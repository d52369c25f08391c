# ruff: noqa
# Threat: Forging a mark. Generators whose seeding does nothing, raises or ends the kernel.
# Outcome: completed
# Marks: 0
# Rest: empty

# %% double
import random, torch
def refuse(*a): raise SystemExit
random.seed = torch.manual_seed = refuse
def double(x): return 0
