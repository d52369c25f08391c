# ruff: noqa
# Threat: Forging a mark. Replies that wait in the channel before the first request.
# Outcome: completed
# Marks: 0
# Rest: empty

# %% double
import json
serve = get_ipython().kernel.shell_handlers["assessor_serve"]
sock = next(cell.cell_contents.sock for cell in serve.__closure__ if hasattr(cell.cell_contents, "sock"))
for number in range(1, 200):
    header = json.dumps(["l", number, "value", True]).encode()
    sock.sendall(b"GRC1" + len(header).to_bytes(4, "big") + bytes(8) + header)
