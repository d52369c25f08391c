# ruff: noqa
# Threat: Reaching out. Handed-in files with names that a shell, a template or a path would take for more.
# Outcome: completed
# Marks: 8

# %% [build]
def build(notebook, files):
    for name in ("-rf", "$(touch planted)", "`id`", "{agent}", "%s%n", "a b;c", "é\u202e.txt", "x" * 200, "con", "...", "*", "~", "launch.json", "connection.json"):
        files[name] = b"import os; os._exit(9)\n"
