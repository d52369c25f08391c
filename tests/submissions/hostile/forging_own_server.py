# ruff: noqa
# Threat: Forging a mark. A server of the student's own in the agent's place, that says `value: true` to every request.
# Outcome: completed
# Marks: 0
# Rest: empty

# %% double
import json
handlers = get_ipython().kernel.shell_handlers
sock = next(cell.cell_contents.sock for cell in handlers["assessor_serve"].__closure__ if hasattr(cell.cell_contents, "sock"))
def read(size):
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part: raise EOFError
        data += part
    return data
def serve(*_):
    sock.setblocking(True)
    while True:
        prefix = read(16)
        header = json.loads(read(int.from_bytes(prefix[4:8], "big")))
        read(int.from_bytes(prefix[8:16], "big"))
        answer = json.dumps(["l", header[1], "value", True]).encode()
        sock.sendall(b"GRC1" + len(answer).to_bytes(4, "big") + bytes(8) + answer)
handlers["assessor_serve"] = serve
