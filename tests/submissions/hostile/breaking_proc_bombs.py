# ruff: noqa
# Threat: Breaking. Reading and listing without end: /dev/zero, /proc, a directory that holds itself, a pipe to itself.
# Outcome: completed | cpu time exceeded | memory exceeded
# Marks: 8

# %% before double
import os
os.makedirs("/tmp/planted", exist_ok=True)
os.symlink("/tmp/planted", "/tmp/planted/planted")
open("/dev/zero", "rb").read()


# %% before tally
read, write = os.pipe()
try:
    while True: os.write(write, bytes(65536))
except BaseException as fault: print(type(fault))
