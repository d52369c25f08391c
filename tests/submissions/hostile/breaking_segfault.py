# ruff: noqa
# Threat: Breaking. A segmentation fault.
# Outcome: process ended
# Marks: 8
# Says: SIGSEGV

# %% before double
import ctypes
ctypes.string_at(0)
