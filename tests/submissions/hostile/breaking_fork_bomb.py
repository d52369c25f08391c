# ruff: noqa
# Threat: Breaking. A fork bomb.
# Outcome: cpu time exceeded | memory exceeded
# Marks: 8

# %% before double
import os
while True:
    try: os.fork()
    except OSError: pass
