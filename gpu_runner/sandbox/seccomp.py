"""The system calls that a student's process may make: an allow-list, compiled to BPF for bubblewrap.

What is not named does not exist (ENOSYS), so that libraries fall back as they would on an older kernel. What is named
in `REFUSED` is known to programs and answered with EPERM. Foreign ABIs (i386, x32) end the process.

A second filter refuses single requests of ioctl: those that type into a terminal, and 0x89xx, which ask a socket about
the network that it was made in; the listening sockets that a kernel is given were made in the host's. It is a filter of
its own because libseccomp lets an unconditional rule for a call override the conditional ones beside it. Of two filters
the kernel obeys the stricter.

Source:
    The default profiles of the OCI engines, less what has no place here.
"""

from __future__ import annotations

import errno
import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

ALLOWED = """
access alarm arch_prctl brk capget chdir chmod chown clock_getres clock_gettime clock_nanosleep clone close close_range
connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait
eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fallocate fchdir fchmod fchmodat
fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork fstat fstatfs fsync ftruncate futex
futex_wait futex_wake futex_waitv futex_requeue get_mempolicy get_robust_list get_thread_area getcpu getcwd getdents
getdents64 getegid geteuid getgid getgroups getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom
getresgid getresuid getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr ioctl
accept accept4 bind listen kill lchown lgetxattr link linkat listxattr llistxattr lseek lstat madvise map_shadow_stack
mbind membarrier mincore mkdir mkdirat mlock mlock2 mlockall mmap mprotect mremap msync munlock munlockall munmap
nanosleep newfstatat open openat openat2 pause pipe pipe2 poll ppoll prctl pread64 preadv
preadv2 prlimit64 pselect6 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recvfrom recvmmsg recvmsg
remap_file_pages rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask
rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max
sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield select sendfile sendmmsg sendmsg sendto
set_robust_list set_tid_address set_mempolicy setitimer setpgid setpriority setrlimit setsid setsockopt shutdown
sigaltstack socketpair stat statfs statx symlink symlinkat sync sync_file_range sysinfo tgkill time
timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime
times tkill truncate umask uname unlink unlinkat utime utimensat utimes vfork wait4 waitid write writev
""".split()
"""Everything that Python, torch (with DataLoader workers), numpy and matplotlib were seen to need, and its kin."""

REFUSED = """
acct add_key bpf capset chroot delete_module fanotify_init finit_module fsconfig fsmount fsopen fspick init_module
inotify_add_watch inotify_init inotify_init1 io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp
kexec_file_load kexec_load keyctl landlock_create_ruleset lookup_dcookie memfd_create memfd_secret migrate_pages mknod
mknodat mount mount_setattr move_mount move_pages mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink
msgctl msgget msgrcv msgsnd name_to_handle_at open_by_handle_at open_tree perf_event_open personality pidfd_getfd
pidfd_open pidfd_send_signal pivot_root process_madvise process_mrelease process_vm_readv process_vm_writev ptrace
quotactl quotactl_fd reboot request_key semctl semget semop semtimedop sethostname setdomainname setns settimeofday
clock_settime clock_adjtime adjtimex setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups
setxattr lsetxattr fsetxattr removexattr shmat shmctl shmdt shmget swapoff swapon syslog umount2 unshare uselib
userfaultfd ustat vhangup vserver
""".split()

CLONE_NEW = 0x7E02_0080
"""CLONE_NEW{TIME, NS, CGROUP, UTS, IPC, USER, PID, NET}: no namespace of one's own inside a sandbox."""
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
SIOC, SIOC_MASK = 0x8900, 0xFFFF_FF00
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
LOW_32 = 0xFFFF_FFFF


@lru_cache(maxsize=2)
def programs(*also: str) -> tuple[bytes, bytes]:
    """The two filters as BPF programs for this machine's architecture.

    Args:
        also: calls that are allowed beside those of every sandbox.
    """
    return _exported(_allow_list(also)), _exported(_refused_requests())


def for_devices(devices: tuple[Path, ...]) -> tuple[str, ...]:
    """What CUDA needs besides: refused memfd_create, it ends with error 304 (operating system) while it starts.

    The memory of such files counts in a cgroup; where there is none, only as far as it is mapped.
    """
    return ("memfd_create",) if devices else ()


def _error(number: int) -> int:
    import pyseccomp as seccomp

    return int(seccomp.ERRNO(number))


def _allow_list(also: tuple[str, ...]) -> Any:
    import pyseccomp as seccomp

    error = _error
    rules = seccomp.SyscallFilter(defaction=error(errno.ENOSYS))
    rules.set_attr(seccomp.Attr.ACT_BADARCH, seccomp.KILL_PROCESS)
    known = {name for name in (*ALLOWED, *REFUSED) if _known(seccomp, name)}
    for name in REFUSED:
        if name in known and name not in also:
            rules.add_rule(error(errno.EPERM), name)
    for name in (*ALLOWED, *also):
        if name in known and name != "clone":
            rules.add_rule(seccomp.ALLOW, name)
    rules.add_rule(seccomp.ALLOW, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_NEW, 0))
    for family in (AF_UNIX, AF_INET, AF_INET6):
        rules.add_rule(seccomp.ALLOW, "socket", seccomp.Arg(0, seccomp.EQ, family))
    rules.add_rule(error(errno.EAFNOSUPPORT), "socket", seccomp.Arg(0, seccomp.GT, AF_NETLINK))
    rules.add_rule(error(errno.EOPNOTSUPP), "socket", seccomp.Arg(0, seccomp.EQ, AF_NETLINK))
    return rules


def _refused_requests() -> Any:
    import pyseccomp as seccomp

    rules = seccomp.SyscallFilter(defaction=seccomp.ALLOW)
    # the kernel looks at the low 32 bits of a request only (CVE-2019-10063), so must we
    for mask, request in ((LOW_32, TIOCSTI), (LOW_32, TIOCLINUX), (SIOC_MASK, SIOC)):
        rules.add_rule(_error(errno.EPERM), "ioctl", seccomp.Arg(1, seccomp.MASKED_EQ, mask, request))
    return rules


def _exported(rules: Any) -> bytes:
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def _known(seccomp: object, name: str) -> bool:
    """Whether this libseccomp knows the call; newer names are simply ENOSYS then."""
    try:
        seccomp.resolve_syscall(seccomp.system_arch(), name)  # type: ignore[attr-defined]
    except (ValueError, OSError):
        return False
    return True


def as_descriptor(data: bytes) -> int:
    """Bytes as a readable descriptor, for programs that take one; the caller closes it."""
    descriptor = os.memfd_create("assessor", os.MFD_CLOEXEC)
    with open(os.dup(descriptor), "wb") as file:  # noqa: PTH123 - a descriptor, not a path
        file.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
