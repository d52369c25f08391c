# ruff: noqa
# Threat: Reaching out. Sockets of other families: vsock, netlink, packet, raw, bluetooth, crypto.
# Outcome: completed
# Marks: 8

# %% before double
import socket
for family in (4, 5, 9, 15, 16, 17, 29, 30, 31, 38, 40, 44):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            socket.socket(family, kind, 0)
            print("reached:", family, kind)
        except OSError: pass
try:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
    print("reached: raw")
except OSError: pass
