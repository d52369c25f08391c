# ruff: noqa
# Threat: Reaching out. Other students' submissions and their running notebooks.
# Outcome: completed
# Marks: 8

# %% before double
import glob, os
found = glob.glob("@COURSE@/submitted/*/*") + glob.glob("/home/*/lab.ipynb") + glob.glob("/**/submitted/*", recursive=False)
found += [name for name in os.listdir("/home") if name != "student"]
found += glob.glob("/tmp/pytest-of-*") + glob.glob("/tmp/assessor-*")
if found: print("reached:", found)
