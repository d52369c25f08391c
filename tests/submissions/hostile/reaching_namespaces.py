# ruff: noqa
# Threat: Reaching out. mount, unshare, setns, pivot_root, chroot, clone with new namespaces.
# Outcome: completed
# Marks: 8

# %% before double
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
os.makedirs("/tmp/planted", exist_ok=True)
here = os.open("/proc/self/ns/user", os.O_RDONLY)
for name, number, arguments in (
    ("unshare user", 272, (0x10000000,)), ("unshare mount", 272, (0x00020000,)), ("unshare net", 272, (0x40000000,)), ("setns", 308, (here, 0)),
    ("mount", 165, (b"proc", b"/tmp/planted", b"proc", 0, 0)), ("bind", 165, (b"/", b"/tmp/planted", 0, 4096 | 16384, 0)), ("umount", 166, (b"/tmp", 2)),
    ("pivot_root", 155, (b"/tmp", b"/tmp/planted")), ("chroot", 161, (b"/tmp",)), ("fsopen", 430, (b"tmpfs", 0)), ("open_tree", 428, (-100, b"/", 1)),
    ("move_mount", 429, (-100, b"/", -100, b"/tmp", 0)), ("mount_setattr", 442, (-100, b"/", 0, 0, 0)), ("clone3", 435, (0, 0)),
    ("open by handle", 304, (-100, 0, 0)), ("sethostname", 170, (b"planted", 7)),
):
    if libc.syscall(number, *arguments) >= 0: print("reached:", name)
