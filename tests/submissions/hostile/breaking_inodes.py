# ruff: noqa
# Threat: Breaking. A million empty files, folders a thousand deep, sparse files of terabytes.
# Outcome: completed | memory exceeded | cpu time exceeded
# Marks: 8

# %% before double
import os
os.makedirs("/tmp/planted", exist_ok=True)
try: os.truncate(os.open("/tmp/planted/sparse", os.O_CREAT | os.O_RDWR), 2**42)
except OSError as fault: print(fault)
try:
    os.chdir("/tmp/planted")
    for _ in range(1000):
        os.mkdir("planted" * 30)
        os.chdir("planted" * 30)
except OSError as fault: print(fault)
number = 0
while True:
    open(f"/tmp/planted/{number}", "w").close()
    number += 1
