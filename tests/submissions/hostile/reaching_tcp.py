# ruff: noqa
# Threat: Reaching out. TCP sockets: the host's loopback, the cloud's metadata address, a name server.
# Outcome: completed
# Marks: 8

# %% before double
import socket
for family, address in (
    (socket.AF_INET, ("127.0.0.1", int("@PORT@"))), (socket.AF_INET, ("169.254.169.254", 80)), (socket.AF_INET, ("10.0.2.2", int("@PORT@"))),
    (socket.AF_INET, ("8.8.8.8", 53)), (socket.AF_INET6, ("::1", int("@PORT@"))), (socket.AF_INET6, ("::ffff:127.0.0.1", int("@PORT@"))),
):
    sock = socket.socket(family)
    sock.settimeout(0.3)
    try:
        sock.connect(address)
        print("reached:", address)
    except OSError: pass
