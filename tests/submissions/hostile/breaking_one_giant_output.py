# ruff: noqa
# Threat: Breaking. One output larger than all that may be said: a picture, a traceback, a repr.
# Outcome: wall time exceeded | completed | output exceeded
# Marks: 8
# Limits: cell_wall_seconds=1

# %% before double
from IPython.display import HTML, display
display(HTML("x" * 10**7))
# %% before tally
raise ValueError("y" * 10**7)
# %% before softmax
"z" * 10**7
