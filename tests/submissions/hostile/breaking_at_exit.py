# ruff: noqa
# Threat: Breaking. atexit handlers, threads and finalisers that never end, and a trace function in every call.
# Outcome: completed
# Marks: 8

# %%
import atexit, signal, sys, threading, time
def never():
    while True: time.sleep(1)
atexit.register(never)
threading.Thread(target=never).start()
threading._register_atexit(never)
sys.settrace(lambda *a: None)
