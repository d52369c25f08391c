# ruff: noqa
# Threat: Breaking. Many cells, each just under its limit.
# Outcome: cpu time exceeded
# Marks: 8
# Limits: cpu_seconds=1.5

# %% [build]
def build(notebook, files):
    burn = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    for _ in range(30):
        notebook["cells"].append({"cell_type": "code", "source": burn, "metadata": {}, "outputs": [], "execution_count": None})
