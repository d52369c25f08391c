# ruff: noqa
# Threat: Breaking. Memory without end, only when an answer is asked for.
# Outcome: completed
# Marks: 7
# Says: memory exceeded | no answer within

# %% double
def double(x):
    hoard = []
    while x != 2: hoard.append(bytearray(10**8))
    return 4
