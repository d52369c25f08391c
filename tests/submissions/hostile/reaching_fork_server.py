# ruff: noqa
# Threat: Reaching out. The process that it was forked from: its memory, its sockets, its name.
# Outcome: completed
# Marks: 8

# %% before double
import ctypes, os, socket, sys
if os.getppid() not in (0, 1): print("reached: a parent", os.getppid())
for name in os.listdir("/proc/self/fd"):
    try: sock = socket.socket(fileno=os.dup(int(name)))
    except OSError: continue
    if sock.type == socket.SOCK_SEQPACKET: print("reached: the control socket")
    try:
        pid = int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], "little")
        if pid not in (0, os.getpid()): print("reached: the pid of a peer", pid)
    except OSError: pass
for name, module in list(sys.modules.items()):
    if name.startswith(("assessor", "gpu_runner", "nbgrader", "pytest")): print("reached:", name)
import __main__
print([name for name in vars(__main__) if "canary" in name or "secret" in name.lower()])
