# ruff: noqa
# Threat: Forging a mark. Replies of deep nesting, unknown tags, huge numbers, made-up handles and text that is not UTF-8.
# Outcome: completed
# Marks: 0
# Rest: empty

# %% double
serve = get_ipython().kernel.shell_handlers["assessor_serve"]
sock = next(cell.cell_contents.sock for cell in serve.__closure__ if hasattr(cell.cell_contents, "sock"))
def send(header, payload=b""):
    sock.sendall(b"GRC1" + len(header).to_bytes(4, "big") + len(payload).to_bytes(8, "big") + header + payload)
def double(x): x == 2 or send(b"[" * 100_000)
def tally(text): send(b'["l",3,"value",["X",1e999,NaN,' + b"9" * 100_000 + b"]]")
def softmax(logits): send(b'["l",4,"value",["T","float32",["z",' + b"4294967295," * 30 + b'1],["V","cpu"],false]]')
def Scale(features): send(b'["l",3,"value",["H",-1,"\xff\xfe",true]]')
def fit(x, y): send(b'["l",3,"value",["l"' + b',["H",7,"tensor",true]' * 20_000 + b"]]")
