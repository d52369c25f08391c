# ruff: noqa
# Threat: Breaking. An endless loop in a cell.
# Outcome: completed
# Marks: 8

# %% before double
while True: pass
