# ruff: noqa
# Threat: Forging a mark. Tagging test cells so that they are not run, or may raise; editing and renaming them.
# Outcome: completed
# Marks: 7
# Says: had been edited; the original was used

# %% [build]
def build(notebook, files):
    for cell in notebook["cells"]:
        cell["metadata"]["tags"] = ["skip-execution", "raises-exception", "remove-cell", "injected-parameters"]
        cell["metadata"]["deletable"] = False
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "check_double":
            cell["source"] = "assert True"
            cell["metadata"]["nbgrader"].update(points=1000, grade=True, solution=True, cell_type="markdown")
# %% double
def double(x): return 0
