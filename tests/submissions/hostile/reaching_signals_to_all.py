# ruff: noqa
# Threat: Reaching out. Signals to everyone: the parent, process groups, pid 1, -1, and the marker's own pid.
# Outcome: process ended
# Marks: 8

# %% before double
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP):
    for target in (int("@TESTER@"), os.getppid(), 1, 2, *range(3, 400)):
        if target == os.getpid(): continue
        try: os.kill(target, number)
        except OSError: pass
    try: os.killpg(0, number) if number == signal.SIGTERM else None
    except OSError: pass
os.kill(-1, signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
