# ruff: noqa
# Threat: Breaking. sys.stdout, displayhook and excepthook replaced by what raises.
# Outcome: completed | wall time exceeded
# Marks: 8
# Limits: cell_wall_seconds=1

# %% before double
import builtins, sys
class Broken:
    def __getattr__(self, name): raise RuntimeError("broken")
sys.stdout = sys.stderr = Broken()
sys.displayhook = sys.excepthook = print
# %%
1 / 0
# %%
"a value"
