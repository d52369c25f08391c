# ruff: noqa
# Threat: Breaking. Cells of megabytes that take long to parse, and one that no parser bears.
# Outcome: completed | memory exceeded | cpu time exceeded | process ended | wall time exceeded
# Marks: 8
# Limits: cell_wall_seconds=2

# %% [build]
def build(notebook, files):
    for text in ("x = [" + "1, " * 100_000 + "]", "(" * 100_000 + ")" * 100_000, "x" + ".x" * 20_000, "\n" * 10**6 + "\f\r\x85"):
        notebook["cells"].append({"cell_type": "code", "source": text, "metadata": {}, "outputs": []})
