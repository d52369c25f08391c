# ruff: noqa
# Threat: Breaking. Recursion without bound: of Python, and of C by way of deep objects.
# Outcome: process ended | completed
# Marks: 7

# %% before double
import sys
sys.setrecursionlimit(10**9)
# %% double
def double(x): return 4 if x == 2 else double(x)
# %%
nested = []
for _ in range(10**6): nested = [nested]
repr(nested)
