# ruff: noqa
# Threat: Breaking. An endless loop that ignores SIGINT, SIGTERM and every KeyboardInterrupt.
# Outcome: cpu time exceeded
# Marks: 8
# Says: the tests ran without it

# %% before double
import signal
for number in range(1, 32):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
while True:
    try:
        while True: pass
    except BaseException: pass
