# ruff: noqa
# Threat: Reaching out. Shared memory, semaphores and message queues, which other runs might share.
# Outcome: completed
# Marks: 8

# %% before double
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for name, number, arguments in (("shmget", 29, (0x706C, 4096, 0o1666)), ("semget", 64, (0x706C, 1, 0o1666)), ("msgget", 68, (0x706C, 0o1666)), ("mq_open", 240, (b"planted", 0o102, 0o666, 0)), ("memfd", 319, (b"planted", 0))):
    if libc.syscall(number, *arguments) >= 0: print("reached:", name)
if any("planted" in name for name in os.listdir("/dev/shm")): print("reached: what another run left")
with open("/dev/shm/planted", "wb") as file: file.write(b"x" * 10**6)
