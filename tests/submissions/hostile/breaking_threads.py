# ruff: noqa
# Threat: Breaking. Threads without end.
# Outcome: completed | cpu time exceeded | memory exceeded
# Marks: 8

# %% before double
import threading, time
try:
    while True: threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
except RuntimeError as fault: print(fault)
