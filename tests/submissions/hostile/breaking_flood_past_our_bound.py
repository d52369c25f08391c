# ruff: noqa
# Threat: Breaking. Output sent past the kernel's own bound, as fast as it goes.
# Outcome: output exceeded
# Marks: 8

# %% before double
kernel = get_ipython().kernel
thread = kernel.iopub_socket.io_thread
thread.send_multipart = type(thread).send_multipart.__get__(thread)
text, parent = "x" * 500_000, kernel.get_parent()
while True: kernel.session.send(kernel.iopub_socket, "stream", {"name": "stdout", "text": text}, parent=parent)
