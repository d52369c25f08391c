# ruff: noqa
# Threat: Reaching out. UDP, DNS and multicast.
# Outcome: completed
# Marks: 8

# %% before double
import socket
socket.setdefaulttimeout(0.3)
for address in (("127.0.0.1", int("@UDP@")), ("255.255.255.255", int("@UDP@")), ("224.0.0.1", int("@UDP@")), ("8.8.8.8", 53)):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.sendto(b"secret", address)
    except OSError: pass
for name in ("example.org", "metadata.google.internal"):
    try: print("reached:", socket.getaddrinfo(name, 80))
    except OSError: pass
