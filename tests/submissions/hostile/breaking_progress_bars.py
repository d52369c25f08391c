# ruff: noqa
# Threat: Breaking. Warnings, progress bars and logging on stderr: right answers all the same.
# Outcome: completed
# Marks: 8

# %% double
import logging, sys, warnings
def double(x):
    warnings.warn("deprecated")
    logging.getLogger().error("epoch 3")
    print("\r 30%|###", end="", file=sys.stderr, flush=True)
    print("thinking")
    return 2 * x
# %%
for step in range(200): print(f"\r{step}%", end="", file=sys.stderr)
