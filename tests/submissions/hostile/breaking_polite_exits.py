# ruff: noqa
# Threat: Breaking. `exit()`, `quit()`, `sys.exit()`, `raise SystemExit` and `%exit`-like calls in cells.
# Outcome: completed | process ended
# Marks: 8

# %% before double
import sys
sys.exit("done")
# %% before tally
exit()
# %% before softmax
quit(0)
# %% before fit
raise SystemExit(3)
