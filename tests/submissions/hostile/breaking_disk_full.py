# ruff: noqa
# Threat: Breaking. A full disk: /tmp, /dev/shm and the home, in large files and in many.
# Outcome: completed | memory exceeded
# Marks: 8

# %% before double
for folder in ("/tmp", "/dev/shm", "/home/student"):
    try:
        for number in range(100):
            with open(f"{folder}/planted-{number}", "wb") as file:
                for _ in range(15): file.write(bytes(10**6))
    except OSError as fault: print(fault)
