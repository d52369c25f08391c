# ruff: noqa
# Threat: Breaking. One operation of C that takes for ever: a power, a huge range, a matrix product.
# Outcome: cpu time exceeded
# Marks: 8

# %% before double
x = 10 ** (10**9)
