# ruff: noqa
# Threat: Breaking. 100 MB of output, by print and past it.
# Outcome: output exceeded
# Marks: 8

# %% before double
import os
for _ in range(1000): print("x" * 100_000)
for _ in range(100): os.write(1, b"y" * 100_000), os.write(2, b"z" * 100_000)
