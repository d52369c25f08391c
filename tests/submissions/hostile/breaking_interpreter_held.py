# ruff: noqa
# Threat: Breaking. A regular expression that holds the interpreter, where no interrupt is heard.
# Outcome: cpu time exceeded
# Marks: 8

# %% before double
import re
re.match("(a+)+$", "a" * 60 + "b")
