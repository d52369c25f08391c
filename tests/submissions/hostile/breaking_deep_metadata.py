# ruff: noqa
# Threat: Breaking. A good notebook with metadata 100,000 deep.
# Outcome: completed
# Marks: 8

# %% [build]
def build(notebook, files):
    import json
    text = json.dumps(notebook)
    return text.replace('"metadata": {}', '"metadata": {"x": ' + "[" * 100_000 + "]" * 100_000 + "}", 1).encode()
