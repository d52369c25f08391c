# ruff: noqa
# Threat: Forging a mark. A reply of 15 MB that comes a byte at a time, for ever.
# Outcome: completed
# Marks: 7
# Says: no answer within

# %% double
import time
serve = get_ipython().kernel.shell_handlers["assessor_serve"]
sock = next(cell.cell_contents.sock for cell in serve.__closure__ if hasattr(cell.cell_contents, "sock"))
def double(x):
    if x == 2: return 4
    sock.sendall(b"GRC1" + (9).to_bytes(4, "big") + (15 * 10**6).to_bytes(8, "big"))
    while True:
        try:
            sock.sendall(b"[")
            time.sleep(0.05)
        except KeyboardInterrupt: pass
