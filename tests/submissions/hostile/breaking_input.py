# ruff: noqa
# Threat: Breaking. `input()`, getpass, a debugger and a pager, which wait for somebody.
# Outcome: completed
# Marks: 8

# %% before double
input("name? ")
# %% before tally
import getpass
getpass.getpass()
# %% before softmax
import pdb, sys
try: 1 / 0
except ZeroDivisionError: pdb.post_mortem()
# %% before fit
sys.stdin.read()
