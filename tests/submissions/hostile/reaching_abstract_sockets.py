# ruff: noqa
# Threat: Reaching out. Abstract sockets and sockets in files: of the host's services and of other runs.
# Outcome: completed
# Marks: 8

# %% before double
import os, socket
names = ["\0@ABSTRACT@", "@SOCKET@", "\0/tmp/.X11-unix/X0", "/run/docker.sock", "/var/run/docker.sock", "/run/systemd/private", "/run/dbus/system_bus_socket"]
for name in names:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        try:
            socket.socket(socket.AF_UNIX, kind).connect(name)
            print("reached:", name)
        except OSError: pass
