from __future__ import annotations

import os

from gpu_runner.sandbox.seccomp import ALLOWED, REFUSED, as_descriptor, programs


def test_no_call_is_both_allowed_and_refused() -> None:
    assert not set(ALLOWED) & set(REFUSED)
    assert len(set(ALLOWED)) == len(ALLOWED)


def test_what_opens_a_way_out_is_not_allowed() -> None:
    ways = "unshare setns mount ptrace bpf keyctl io_uring_setup userfaultfd perf_event_open process_vm_readv pidfd_getfd"
    assert not set(ways.split()) & set(ALLOWED)
    assert {"socket", "clone", "clone3"}.isdisjoint({*ALLOWED} - {"clone"})  # each has its own rule


def test_both_filters_are_programs_of_whole_instructions() -> None:
    assert all(program and len(program) % 8 == 0 for program in programs())


def test_a_descriptor_gives_its_bytes_from_the_start() -> None:
    descriptor = as_descriptor(b"content")
    try:
        assert os.read(descriptor, 100) == b"content"
        assert not os.get_inheritable(descriptor)
    finally:
        os.close(descriptor)
