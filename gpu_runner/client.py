"""The trusted client of an untrusted kernel: what comes over Jupyter's sockets is counted, bounded and checked.

Theory of operation. The student's code holds the connection's key and writes to the sockets whatever it likes. So:

- zmq drops the connection of a peer that sends a message over the size limit, and holds few messages back.
- Every message is counted as it arrives. Over the limit of the run, output is dropped before anybody stores it; far
  over it, the sandbox is ended.
- What is malformed does not exist. What is kept has exactly the fields and types of Jupyter's protocol that a notebook
  needs, and only text in them: no widgets, no nested data, no lone surrogates. So nothing that a kernel says can raise
  in nbclient, which trusts it.

An honest kernel bounds its own output too (launcher.py), so that a student who prints in an endless loop gets an output
that is cut, and not a kernel that is killed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from traitlets import Type

from gpu_runner.execution import Limits

MAX_MESSAGES = 10_000
FLOOD = 4
"""A run whose output passes its limit this many times over is ended; below that it is only cut."""
KEPT_BYTES = 65_536
"""An error or a status no larger than this is let through after the cut: it says how a cell ended."""
QUEUED_MESSAGES = 8
SHELL_BYTES = 2**24
CUT = "\n[output cut here: the limit of this run is passed]\n"


class OutputGauge:
    """Counts a run's output as it arrives, and says what may still be kept."""

    def __init__(self, limits: Limits) -> None:
        self._limit, self.bytes, self.messages = limits.output_bytes, 0, 0
        self.flooded: Callable[[], None] = lambda: None
        self.cut = False

    def count(self, size: int) -> None:
        """Counts one message, whatever it is."""
        self.bytes, self.messages = self.bytes + size, self.messages + 1
        if self.bytes > FLOOD * self._limit or self.messages > FLOOD * MAX_MESSAGES:
            self.flooded()

    def admit(self, message: dict[str, Any], size: int) -> bool:
        """Whether this message is kept. The first that is not is cut where the limit is, and says so."""
        room = max(0, self._limit - self.bytes)
        self.count(size)
        if self.bytes <= self._limit and self.messages <= MAX_MESSAGES:
            return True
        if message["msg_type"] in ("error", "status", "execute_input") and size <= KEPT_BYTES:
            return True
        if self.cut:
            return False
        self.cut = True
        kept = message["content"]["text"][:room] if message["msg_type"] == "stream" else ""
        message["header"]["msg_type"] = message["msg_type"] = "stream"
        message["content"] = {"name": "stderr", "text": kept + CUT}
        return True


def max_message_bytes(limits: Limits) -> int:
    """Size of the largest message on iopub that is read at all; a larger one ends the connection."""
    return 2 * limits.output_bytes + 2**20


def clean_text(text: str) -> str:
    """The text with whatever UTF-8 cannot say replaced, so that it can be stored and sent."""
    return text.encode("utf-8", "replace").decode("utf-8")


def checked_message(message: Any) -> dict[str, Any] | None:
    """The message in the form that the protocol gives it, None where it has another or is of no use to a notebook."""
    header, parent, content = (_dict(message.get(part)) for part in ("header", "parent_header", "content"))
    kind = message.get("msg_type")
    if not isinstance(kind, str) or header.get("msg_type") != kind or kind not in _CONTENTS:
        return None
    try:
        clean = _CONTENTS[kind](content)
        name, parent_name = (_text(one.get("msg_id", "")) for one in (header, parent))
    except (KeyError, TypeError):
        return None
    return {
        "header": {"msg_type": kind, "msg_id": name},
        "msg_type": kind,
        "msg_id": name,
        "parent_header": {"msg_id": parent_name},
        "metadata": {},
        "content": clean,
        "buffers": [],
    }


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return clean_text(value)


def _count(content: dict[str, Any]) -> int | None:
    count = content.get("execution_count")
    return count if isinstance(count, int) and 0 <= count < 2**31 else None


def _stream(content: dict[str, Any]) -> dict[str, Any]:
    return {"name": "stderr" if content["name"] == "stderr" else "stdout", "text": _text(content["text"])}


def _display(content: dict[str, Any]) -> dict[str, Any]:
    data = {_text(mime): _text(value) for mime, value in _dict(content["data"]).items() if isinstance(value, str)}
    sizes = {
        mime: {side: value for side, value in _dict(entry).items() if side in ("width", "height") and _is_size(value)}
        for mime, entry in _dict(content.get("metadata")).items()
        if mime in data
    }
    clean: dict[str, Any] = {"data": data, "metadata": {mime: entry for mime, entry in sizes.items() if entry}}
    name = _dict(content.get("transient")).get("display_id")
    return clean | ({"transient": {"display_id": _text(name)}} if isinstance(name, str) else {})


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and 0 < value < 100_000


def _result(content: dict[str, Any]) -> dict[str, Any]:
    return _display(content) | {"execution_count": _count(content)}


def _error(content: dict[str, Any]) -> dict[str, Any]:
    lines = content["traceback"]
    if not isinstance(lines, list):
        raise TypeError("not a traceback")
    return {
        "ename": _text(content["ename"]),
        "evalue": _text(content["evalue"]),
        "traceback": [_text(line) for line in lines],
    }


def _status(content: dict[str, Any]) -> dict[str, Any]:
    return {"execution_state": _text(content["execution_state"])}


def _reply(content: dict[str, Any]) -> dict[str, Any]:
    return {"status": _text(content.get("status", "ok")), "execution_count": _count(content)}


_CONTENTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "stream": _stream,
    "display_data": _display,
    "update_display_data": _display,
    "execute_result": _result,
    "error": _error,
    "status": _status,
    "execute_input": lambda content: {"execution_count": _count(content)},
    "clear_output": lambda content: {"wait": bool(content.get("wait"))},
    "execute_reply": _reply,
    "kernel_info_reply": lambda content: {"status": "ok"},
}


class CheckedChannel(AsyncZMQSocketChannel):  # type: ignore[misc]
    """A channel that gives only well-formed messages; where it has a gauge, only those that it admits."""

    gauge: OutputGauge | None = None

    async def _recv(self, **kwargs: Any) -> dict[str, Any]:
        while True:
            parts = await self.socket.recv_multipart(**kwargs)
            size = sum(map(len, parts))
            message = self._read(parts)
            if message is None:
                if self.gauge is not None:
                    self.gauge.count(size)
            elif self.gauge is None or self.gauge.admit(message, size):
                return message

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """The next message.

        Raises:
            Empty: neither's fault; none came in time.
        """
        return dict(await super().get_msg(timeout))

    def _read(self, parts: list[bytes]) -> dict[str, Any] | None:
        try:
            _, rest = self.session.feed_identities(parts)
            return checked_message(self.session.deserialize(rest))
        except Exception:  # noqa: BLE001 - a stranger's bytes may be wrong in any way: bad JSON, depth, signature
            return None


class CheckedClient(AsyncKernelClient):  # type: ignore[misc]
    """A kernel client that a hostile kernel can neither fill nor confuse. Made by `bounded_client`."""

    iopub_channel_class = Type(CheckedChannel)
    shell_channel_class = Type(CheckedChannel)
    control_channel_class = Type(CheckedChannel)
    gauge: OutputGauge
    max_bytes: int = SHELL_BYTES

    def bound(self, gauge: OutputGauge, limits: Limits) -> None:
        """Sets the bounds; before the channels start."""
        self.gauge, self.max_bytes = gauge, max_message_bytes(limits)

    def connect_iopub(self, identity: bytes | None = None) -> zmq.Socket[bytes]:
        """The iopub socket."""
        sock = self._bounded(zmq.SUB, self.max_bytes)
        sock.setsockopt(zmq.SUBSCRIBE, b"")
        sock.connect(self._make_url("iopub"))
        return sock

    def connect_shell(self, identity: bytes | None = None) -> zmq.Socket[bytes]:
        """The shell socket."""
        sock = self._bounded(zmq.DEALER, SHELL_BYTES)
        sock.connect(self._make_url("shell"))
        return sock

    def connect_control(self, identity: bytes | None = None) -> zmq.Socket[bytes]:
        """The control socket."""
        sock = self._bounded(zmq.DEALER, SHELL_BYTES)
        sock.connect(self._make_url("control"))
        return sock

    def _bounded(self, kind: int, max_bytes: int) -> zmq.Socket[bytes]:
        sock: zmq.Socket[bytes] = self.context.socket(kind)
        sock.linger = 0
        sock.setsockopt(zmq.MAXMSGSIZE, max_bytes)
        sock.setsockopt(zmq.RCVHWM, QUEUED_MESSAGES)
        return sock

    @property
    def iopub_channel(self) -> Any:
        """The counted channel."""
        channel = super().iopub_channel
        channel.gauge = self.gauge
        return channel
