# ruff: noqa
# Threat: Breaking. A notebook cut off in the middle of its last answer.
# Outcome: completed
# Marks: 6
# Says: the file is damaged

# %% [build]
def build(notebook, files):
    import json
    text = json.dumps(notebook)
    return text[: text.index("lstsq")].encode()
