# ruff: noqa
# Threat: Breaking. Modules, files, environment and the working directory taken away under the kernel.
# Outcome: completed | process ended | wall time exceeded
# Marks: 8

# %%
import os, shutil, sys
os.environ.clear()
shutil.rmtree("/home/student", ignore_errors=True)
shutil.rmtree("/tmp", ignore_errors=True)
for name in list(sys.modules):
    if not name.startswith(("builtins", "sys", "ipykernel", "IPython", "zmq", "tornado", "asyncio", "jupyter", "traitlets", "agent", "tensors", "torch", "threading")): del sys.modules[name]
