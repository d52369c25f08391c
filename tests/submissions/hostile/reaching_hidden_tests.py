# ruff: noqa
# Threat: Reaching out. The hidden tests and the reference, by their very path.
# Outcome: completed
# Marks: 7

# %% double
import importlib.util, os
def double(x):
    for folder in ("@COURSE@/graders/lab", "@REPOSITORY@/graders", "/proc/@TESTER@/cwd/graders"):
        if os.path.exists(folder):
            raise RuntimeError("reached" + ": " + folder)
        spec = importlib.util.spec_from_file_location("reference", folder + "/reference.py")
        try: spec.loader.exec_module(importlib.util.module_from_spec(spec))
        except OSError: continue
        raise RuntimeError("reached" + ": the reference")
