# ruff: noqa
# Threat: Breaking. A kernel that says nothing more: its output and its replies are swallowed.
# Outcome: wall time exceeded | completed
# Marks: 8
# Limits: cell_wall_seconds=1

# %% before double
get_ipython().kernel.session.send = lambda *a, **k: None
