# ruff: noqa
# Threat: Reaching out. Installing packages, which would change the environment for all.
# Outcome: completed | cpu time exceeded | wall time exceeded
# Marks: 8
# Limits: cell_cpu_seconds=4 cpu_seconds=20

# %% before double
import os, subprocess, sys
os.makedirs("/tmp/planted-package", exist_ok=True)
with open("/tmp/planted-package/setup.py", "w") as file: file.write("from setuptools import setup; setup(name='planted', py_modules=[])")
done = subprocess.run([sys.executable, "-m", "pip", "install", "--no-index", "--no-build-isolation", "--no-deps", "--disable-pip-version-check", "/tmp/planted-package"], capture_output=True, text=True)
if "Successfully installed" in done.stdout and "/home/student" not in done.stdout and os.path.exists(sys.prefix + "/lib/python3.11/site-packages/planted.egg-info"): print("reached: the environment")
