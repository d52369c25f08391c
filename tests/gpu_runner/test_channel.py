"""The trusted end believes nothing: strangers at the other end of the socket, one trick a test."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import torch

from gpu_runner import tensors
from gpu_runner.channel import BACKSTOP, Budget, Channel
from gpu_runner.errors import BadReply, ChannelMisused, KernelDied, StudentTimeout
from gpu_runner.tensors import PREFIX
from gpu_runner.testing import in_process, in_subprocess

LIMIT = 2**20


def frame(value: Any) -> bytes:
    return b"".join(bytes(part) for part in tensors.encode(value).parts)


class Stranger:
    """The other end of the socket, in a thread of its own."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.stopped = threading.Event()

    def request(self) -> Any:
        header, payload = tensors.read_prefix(self.exactly(PREFIX.size), 2**40)
        return tensors.decode(self.exactly(header), bytearray(self.exactly(payload)))

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            if not (part := self.sock.recv(size - len(data))):
                raise ConnectionError
            data += part
        return data

    def send(self, raw: bytes) -> None:
        self.sock.sendall(raw)


@contextmanager
def opposite(behave: Callable[[Stranger], None], **options: Any) -> Iterator[Channel]:
    ours, theirs = socket.socketpair()
    stranger = Stranger(theirs)

    def live() -> None:
        with suppress(OSError):
            behave(stranger)
        stranger.stopped.wait(30)

    thread = threading.Thread(target=live, daemon=True)
    thread.start()
    settings: dict[str, Any] = {"interrupt": lambda: None, "death": lambda: None, "max_message_bytes": LIMIT, **options}
    channel = Channel(ours, **settings)
    channel.grace_seconds = 0.2
    try:
        yield channel
    finally:
        stranger.stopped.set()
        channel.close()
        theirs.close()
        thread.join(10)


def ask_and_break(behave: Callable[[Stranger], None], fault: type[Exception], match: str | None = None) -> None:
    with opposite(behave) as channel:
        channel.begin(0.5)
        with pytest.raises(fault, match=match):
            channel.get("x")
        assert channel.broken
        with pytest.raises(KernelDied):  # and never again a value
            channel.get("x")


def test_an_honest_answer_is_given() -> None:
    with opposite(lambda s: s.send(frame([s.request()[0], "value", 7]))) as channel:
        assert channel.get("x") == 7


@pytest.mark.parametrize("shift", [-1, 1, 2**60])
def test_an_answer_with_another_number_breaks_the_channel(shift: int) -> None:
    ask_and_break(lambda s: s.send(frame([s.request()[0] + shift, "value", 1])), BadReply, "out of turn")


@pytest.mark.parametrize(
    "reply",
    [
        7,
        [],
        [1],
        {"a": 1},
        [True, "value", 1],
        [1.0, "value", 1],
        ["1", "value", 1],
        [1, "value"],
        [1, "value", 1, 2],
        [1, "points", 100],
        [1, "raised", "E"],
        [1, "raised", 1, 2, 3],
        [1, "missing", 5],
        (1, "value", 1),
    ],
    ids=repr,
)
def test_an_answer_of_another_form_breaks_the_channel(reply: Any) -> None:
    def behave(s: Stranger) -> None:
        s.request()
        s.send(frame(reply))

    ask_and_break(behave, BadReply)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        os.urandom(64),
        PREFIX.pack(tensors.MAGIC, 2**20 + 1, 0),
        PREFIX.pack(tensors.MAGIC, 100, 2**63),
        PREFIX.pack(tensors.MAGIC, 2, 0) + b"{}",
        PREFIX.pack(tensors.MAGIC, 2, 5) + b"[]hello",
        PREFIX.pack(tensors.MAGIC, 3, 0) + b"\xff\xff\xff",
    ],
    ids=range(7),
)
def test_bytes_that_are_no_message_break_the_channel(raw: bytes) -> None:
    def behave(s: Stranger) -> None:
        s.request()
        s.send(raw)

    ask_and_break(behave, BadReply, "cannot be read")


def test_ten_gigabytes_are_not_read() -> None:
    def behave(s: Stranger) -> None:
        s.request()
        s.send(PREFIX.pack(tensors.MAGIC, 50, 10 * 2**30))
        while True:
            s.send(b"\0" * 2**16)

    ask_and_break(behave, BadReply, "more than")


def test_a_doubled_answer_is_noticed_before_the_next_request() -> None:
    def behave(s: Stranger) -> None:
        s.send(frame([s.request()[0], "value", 1]) + frame([2, "value", "forged"]))

    with opposite(behave) as channel:
        try:
            assert channel.get("x") == 1
        finally:
            time.sleep(0.05)
        with pytest.raises(BadReply, match="before it was asked"):
            channel.get("x")
        assert channel.broken


def test_an_answer_given_before_the_question_breaks_the_channel() -> None:
    ready = threading.Event()

    def behave(s: Stranger) -> None:
        s.send(frame([1, "value", "forged"]))
        ready.set()

    with opposite(behave) as channel:
        ready.wait(10)
        with pytest.raises(BadReply, match="before it was asked"):
            channel.get("x")


def test_silence_is_a_timeout_and_breaks_the_channel() -> None:
    ask_and_break(lambda s: s.request(), StudentTimeout)


@pytest.mark.parametrize(
    "start", [b"", PREFIX.pack(tensors.MAGIC, 1000, 0), PREFIX.pack(tensors.MAGIC, 2, 10_000) + b"[]"], ids=len
)
def test_a_trickle_of_bytes_obeys_the_deadline(start: bytes) -> None:
    def behave(s: Stranger) -> None:
        s.request()
        s.send(start)
        for byte in tensors.MAGIC + b"\0\0\0\x20" + b"\0" * 200:
            if s.stopped.wait(0.02):
                return
            s.send(bytes([byte]))

    ask_and_break(behave, StudentTimeout)


def test_a_message_longer_than_it_said_is_noticed() -> None:
    def behave(s: Stranger) -> None:
        s.send(frame([s.request()[0], "value", 1]) + b"more")

    with opposite(behave) as channel:
        channel.get("x")
        time.sleep(0.05)
        with pytest.raises(BadReply):
            channel.get("x")


def test_a_stranger_who_does_not_read_cannot_block_us() -> None:
    with opposite(lambda s: None, max_message_bytes=2**27) as channel:
        channel.begin(0.3)
        with pytest.raises(StudentTimeout):
            channel.put("x", torch.zeros(2**24))
        assert channel.broken


def test_a_late_answer_keeps_the_stream_in_step() -> None:
    interrupted = threading.Event()

    def behave(s: Stranger) -> None:
        number = s.request()[0]
        interrupted.wait(10)
        s.send(frame([number, "raised", "KeyboardInterrupt", "", ""]))
        s.send(frame([s.request()[0], "value", "second"]))

    with opposite(behave, interrupt=interrupted.set) as channel:
        channel.grace_seconds = 10
        channel.begin(0.1)
        with pytest.raises(StudentTimeout):
            channel.get("x")
        channel.begin(5)
        assert channel.get("x") == "second"


def test_a_right_answer_after_the_deadline_is_not_taken() -> None:
    interrupted = threading.Event()

    def behave(s: Stranger) -> None:
        number = s.request()[0]
        interrupted.wait(10)
        s.send(frame([number, "value", 42]))

    with opposite(behave, interrupt=interrupted.set) as channel:
        channel.begin(0.1)
        with pytest.raises(StudentTimeout):
            channel.get("x")


def test_one_budget_covers_all_requests_of_a_test() -> None:
    def behave(s: Stranger) -> None:
        while True:
            number = s.request()[0]
            time.sleep(0.1)
            s.send(frame([number, "value", 1]))

    with opposite(behave) as channel:
        channel.begin(0.35)
        with pytest.raises(StudentTimeout):
            for _ in range(20):
                channel.get("x")


def test_time_of_this_side_is_not_charged() -> None:
    def behave(s: Stranger) -> None:
        while True:
            s.send(frame([s.request()[0], "value", 1]))

    with opposite(behave) as channel:
        channel.begin(0.5)
        channel.get("x")
        time.sleep(0.7)
        assert channel.get("x") == 1


def test_a_busy_machine_costs_nothing_where_cpu_time_counts() -> None:
    spent = [0.0]
    budget = Budget(0.05, lambda: spent[0])
    budget.start()
    time.sleep(0.06)
    assert not budget.passed()
    spent[0] = 0.06
    assert budget.passed()
    spent[0] = 0.0
    time.sleep(0.05 * BACKSTOP)
    assert budget.passed()


def test_the_owners_word_of_death_ends_the_wait() -> None:
    dies = opposite(lambda s: s.request(), death=lambda: "memory exceeded")
    with dies as channel, pytest.raises(KernelDied) as caught:
        channel.get("x")
    assert caught.value.reason == "memory exceeded"


def test_a_closed_socket_is_a_death() -> None:
    ask_and_break(lambda s: s.sock.close() if s.request() else None, KernelDied)


def test_our_own_live_objects_cannot_be_sent() -> None:
    with opposite(lambda s: None) as channel:
        with pytest.raises(ChannelMisused):
            channel.call("f", [lambda x: x])
        with pytest.raises(ChannelMisused, match="may cross"):
            channel.call("f", [b"\0" * LIMIT])
        assert not channel.broken


LOOP = "import time\ndef loop():\n    while True: pass\n"


def test_an_endless_loop_is_interrupted_and_the_kernel_lives_on() -> None:
    with in_subprocess(LOOP + "x = 1\n") as channel:
        channel.get("x")
        channel.begin(0.3)
        with pytest.raises(StudentTimeout):
            channel.call("loop")
        channel.begin(10)
        assert channel.get("x") == 1


def test_an_interrupt_between_requests_loses_no_byte() -> None:
    with in_subprocess("x = 1\nimport os\npid = os.getpid()\n") as channel:
        pid = channel.get("pid")
        for _ in range(30):
            os.kill(pid, signal.SIGINT)
            assert channel.get("x") == 1


IGNORES = """
import signal
def deaf():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True: pass
def swallows():
    while True:
        try:
            for _ in iter(int, 1): str(1)
        except BaseException: pass
"""


@pytest.mark.parametrize("name", ["deaf", "swallows"])
def test_code_that_ignores_the_interrupt_breaks_the_channel(name: str) -> None:
    with in_subprocess(IGNORES) as channel:
        channel.grace_seconds = 0.3
        channel.names()
        channel.begin(0.3)
        with pytest.raises(StudentTimeout):
            channel.call(name)
        assert "did not stop" in channel.broken
        with pytest.raises(KernelDied):
            channel.names()


@pytest.mark.parametrize(("how", "reason"), [("os._exit(5)", "5"), ("os.kill(os.getpid(), 11)", "SIGSEGV")])
def test_an_exit_or_crash_names_its_reason(how: str, reason: str) -> None:
    with in_subprocess(f"import os\ndef f(): {how}\n") as channel:
        with pytest.raises(KernelDied) as caught:
            channel.call("f")
        assert reason in caught.value.reason


FORGER = """
import gc, os, socket, threading, time
def answer():
    return 1
def forge():
    for name in os.listdir("/proc/self/fd"):
        try:
            sock = socket.socket(fileno=os.dup(int(name)))
            sock.getpeername()
        except OSError:
            continue
        for number in range(1, 50):
            header = ('["l",%d,"value",42]' % number).encode()
            sock.sendall(b"GRC1" + len(header).to_bytes(4, "big") + bytes(8) + header)
    return 0
"""


def test_a_forger_who_writes_to_the_socket_gets_no_later_value_in() -> None:
    """It may forge the answer to the request that runs it; that is a claim like any other. Then the channel ends."""
    with in_subprocess(FORGER) as channel:
        assert channel.call("answer") == 1
        with pytest.raises(BadReply):
            channel.call("forge")
        with pytest.raises(KernelDied):
            channel.call("answer")


def test_an_answer_too_large_is_refused_before_it_is_made_and_the_stream_stays_in_step() -> None:
    with in_process({"huge": lambda: torch.zeros(1).expand(2**44), "x": 1}, max_message_bytes=LIMIT) as channel:
        with pytest.raises(BadReply, match="may cross"):
            channel.call("huge")
        assert channel.get("x") == 1


def test_a_large_tensor_crosses_whole() -> None:
    value = torch.arange(2**22, dtype=torch.float64)
    with in_process({"same": lambda x: x}) as channel:
        assert torch.equal(channel.call("same", [value]), value)


def test_a_large_tensor_crosses_both_ways_and_belongs_to_whoever_got_it() -> None:
    source = "import torch\ndef same(x):\n    x += 1\n    return x"
    with in_subprocess(source) as channel:
        large = torch.arange(2**21)
        first, second = channel.call("same", [large]), channel.call("same", [large])
        first += 5
        assert torch.equal(second, torch.arange(1, 2**21 + 1))
        assert torch.equal(first, second + 5)
        assert torch.equal(large, torch.arange(2**21))
