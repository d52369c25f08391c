# ruff: noqa
# Threat: Reaching out. Another kernel, language or version named in the notebook's metadata.
# Outcome: completed
# Marks: 8

# %% [build]
def build(notebook, files):
    notebook["metadata"] = {
        "kernelspec": {"name": "../../../../bin/sh", "display_name": "bash", "language": "bash", "argv": ["sh", "-c", "touch /tmp/planted"]},
        "language_info": {"name": "bash", "version": "3"}, "jupytext": {"formats": "ipynb,py"}, "papermill": {"parameters": {"x": 1}},
        "execution": {"timeout": -1, "allow_errors": False, "kernel_name": "sh"}, "widgets": {"application/vnd.jupyter.widget-state+json": 7},
    }
    notebook["nbformat_minor"] = 10**6
