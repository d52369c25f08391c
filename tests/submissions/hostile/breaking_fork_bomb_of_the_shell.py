# ruff: noqa
# Threat: Breaking. The fork bomb of the shell, in the background of a session of its own.
# Outcome: completed | cpu time exceeded | memory exceeded
# Marks: 4-8

# %% before double
import subprocess
subprocess.Popen(["sh", "-c", "b() { b | b & }; b"], start_new_session=True)
