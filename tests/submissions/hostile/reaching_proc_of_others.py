# ruff: noqa
# Threat: Reaching out. `/proc` of others: memory, roots, descriptors and maps of pid 1, the parent and the marker.
# Outcome: completed
# Marks: 8

# %% before double
import os
own = {str(os.getpid()), "self", "thread-self"}
for pid in [*(name for name in os.listdir("/proc") if name.isdecimal()), str(os.getppid()), "@TESTER@"]:
    if pid in own: continue
    for name in ("mem", "root", "cwd", "exe", "fd", "map_files", "environ", "stack"):
        path = f"/proc/{pid}/{name}"
        try:
            if name == "mem":
                for line in open(f"/proc/{pid}/maps"):  # those of its own sandbox may be read: nothing of the host may be in them
                    start, end = (int(part, 16) for part in line.split()[0].split("-"))
                    if "rw" not in line: continue
                    with open(path, "rb", 0) as memory:
                        memory.seek(start)
                        text = memory.read(end - start)
                    for needle in (b"can" + b"ary-", b"@COURSE@/" + b"graders", b"ASSESSOR_" + b"SECRET", b"/sys/fs/" + b"cgroup"):
                        if needle in text: print("reached:", path, needle, text[text.find(needle):][:60])
            elif name in ("root", "cwd"): print("reached:", path, os.listdir(path)) if "etc" in os.listdir(path) and os.path.exists(path + "/etc/shadow") else None
            elif name == "fd": [print("reached:", link) for link in map(os.readlink, (f"{path}/{fd}" for fd in os.listdir(path))) if link.startswith("/") and not link.startswith("/dev/null")]
        except OSError: pass
if len([pid for pid in os.listdir("/proc") if pid.isdecimal()]) > 4: print("reached: the processes of others")
