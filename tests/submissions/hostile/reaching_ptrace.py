# ruff: noqa
# Threat: Reaching out. ptrace, process_vm_readv, pidfd_getfd and kcmp on its parent and on pid 1.
# Outcome: completed
# Marks: 8

# %% before double
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(64)
for pid in (1, os.getppid(), int("@TESTER@")):
    for name, number, arguments in (
        ("ptrace attach", 101, (16, pid, 0, 0)), ("ptrace seize", 101, (0x4206, pid, 0, 0)), ("vm read", 310, (pid, buffer, 1, buffer, 1, 0)),
        ("pidfd", 434, (pid, 0)), ("pidfd getfd", 438, (3, 1, 0)), ("kcmp", 312, (pid, os.getpid(), 0, 0, 0)),
    ):
        if libc.syscall(number, *arguments) >= 0: print("reached:", name, pid)
