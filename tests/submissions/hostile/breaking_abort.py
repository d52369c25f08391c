# ruff: noqa
# Threat: Breaking. abort(), which asks for a core dump, and a fault in an answer.
# Outcome: process ended
# Marks: 7

# %% before double
import os
os.abort()
# %% double
import ctypes
def double(x): return 4 if x == 2 else ctypes.CDLL(None).abort()
