# ruff: noqa
# Threat: Reaching out. keyctl, bpf, userfaultfd, io_uring, perf, modules, kexec, fanotify, memory policies.
# Outcome: completed
# Marks: 8

# %% before double
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
zero = ctypes.create_string_buffer(256)
for name, number, arguments in (
    ("add_key", 248, (b"user", b"planted", b"x", 1, -3)), ("keyctl", 250, (0, -3, 1)), ("bpf", 321, (0, zero, 128)), ("userfaultfd", 323, (0,)),
    ("userfaultfd user", 323, (1,)), ("io_uring", 425, (8, zero)), ("perf", 298, (zero, 0, -1, -1, 0)), ("init_module", 175, (zero, 1, b"")),
    ("kexec", 246, (0, 0, 0, 0)), ("fanotify", 300, (0, 0)), ("inotify", 294, (0,)), ("reboot", 169, (0xFEE1DEAD, 672274793, 0, 0)), ("swapon", 167, (b"/tmp", 0)),
    ("syslog", 103, (3, zero, 256)), ("acct", 163, (b"/tmp/planted",)), ("quotactl", 179, (0, 0, 0, 0)), ("settimeofday", 164, (zero, 0)), ("adjtimex", 159, (zero,)),
    ("iopl", 172, (3,)), ("memfd_secret", 447, (0,)), ("name_to_handle", 303, (-100, b"/", zero, zero, 0)), ("lookup_dcookie", 212, (0, zero, 1)),
):
    if libc.syscall(number, *arguments) >= 0 and name != "adjtimex": print("reached:", name)
