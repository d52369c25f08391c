# ruff: noqa
# Threat: Breaking. A million display updates.
# Outcome: output exceeded | completed
# Marks: 8

# %% before double
from IPython.display import display
handle = display(0, display_id=True)
for number in range(10**6): handle.update(number)
