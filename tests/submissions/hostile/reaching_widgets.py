# ruff: noqa
# Threat: Reaching out. Widgets, comms and payloads that would act in the front end or on the runner.
# Outcome: completed
# Marks: 8

# %% before double
kernel = get_ipython().kernel
parent = kernel.get_parent()
for kind, content in (
    ("comm_open", {"comm_id": "planted", "target_name": "jupyter.widget", "data": {"state": {"_model_name": "OutputModel", "outputs": [1]}}}),
    ("comm_msg", {"comm_id": "planted", "data": {"method": "update", "state": {"msg_id": parent["header"]["msg_id"]}}}),
    ("input_request", {"prompt": "password:", "password": True}),
):
    kernel.session.send(kernel.iopub_socket, kind, content, parent=parent)
get_ipython().set_next_input("import os; os._exit(9)", replace=True)
get_ipython().payload_manager.write_payload({"source": "edit_magic", "filename": "/etc/passwd", "line_number": 1})
get_ipython().payload_manager.write_payload({"source": "ask_exit", "keepkernel": False})
