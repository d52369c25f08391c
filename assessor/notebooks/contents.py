"""Every text in a file, whatever it is packed or written in: archives, notebooks, HTML, other encodings, binary data."""

from __future__ import annotations

import base64
import bz2
import gzip
import html
import io
import json
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

TEXT, BINARY, MARKED_UP = "text", "binary data", "text of its HTML"
MAX_MEMBERS, MAX_UNPACKED, MAX_DEPTH = 20_000, 2**30, 4
ENCODED = re.compile(r"[A-Za-z0-9+/\s]{32,}={0,2}\s*")
TAGS = re.compile(r"<[a-zA-Z/!][^<>]*>")
STREAMS: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
"""What packs one file, by its first bytes."""
BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, RuntimeError, NotImplementedError, OSError, EOFError,
    ValueError,
)  # fmt: skip


class Unreadable(Exception):
    """An archive that cannot be looked into: damaged, encrypted, or too large."""

    def __init__(self, name: str, why: str) -> None:
        self.name, self.why = name, why
        super().__init__(f"{name}: {why}")


def members(name: str, data: bytes, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """A file, and the files in it where it is an archive (zip, tar, gzip, bzip2, xz), and those in them.

    Raises:
        Unreadable: one of them cannot be looked into.
    """
    yield name, data
    packed = _unpacked(name, data)
    for number, (inner, content) in enumerate(packed):
        if depth == MAX_DEPTH or number == MAX_MEMBERS:
            raise Unreadable(name, f"an archive of more than {MAX_DEPTH} levels or {MAX_MEMBERS} files")
        yield from members(f"{name}/{inner}", content, depth + 1)


def _unpacked(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        if data.startswith(b"PK\x03\x04") or zipfile.is_zipfile(io.BytesIO(data)):
            yield from _of_zip(data)
        elif opener := next((opener for magic, opener in STREAMS.items() if data.startswith(magic)), None):
            with opener(io.BytesIO(data)) as stream:
                yield "content", _bounded(stream, MAX_UNPACKED)
        elif data[257:262] == b"ustar":
            yield from _of_tar(data)
    except BROKEN as fault:
        raise Unreadable(name, f"an archive that cannot be read ({str(fault)[:80]})") from None


def _of_zip(data: bytes) -> Iterator[tuple[str, bytes]]:
    left = MAX_UNPACKED
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if info.flag_bits & 1:
                raise RuntimeError("encrypted")
            if not info.is_dir():
                with archive.open(info) as stream:
                    content = _bounded(stream, left)
                left -= len(content)
                yield info.filename, content


def _of_tar(data: bytes) -> Iterator[tuple[str, bytes]]:
    left = MAX_UNPACKED
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for entry in archive:
            stream = archive.extractfile(entry) if entry.isfile() else None
            if stream is not None:
                content = _bounded(stream, left)
                left -= len(content)
                yield entry.name, content


def _bounded(stream: IO[bytes], left: int) -> bytes:
    content = stream.read(left + 1)
    if len(content) > left:
        raise ValueError(f"more than {MAX_UNPACKED // 2**20} MiB")
    return content


def text_of(data: bytes) -> str | None:
    """A file's text, in UTF-8 or UTF-16; None where it holds none."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    return None if b"\0" in data[:8192] else data.decode("utf-8", "replace")


def blocks_of(data: bytes) -> Iterator[tuple[str, str]]:
    """The texts in a file that is no archive, as (place, text) pairs: those of a notebook or other JSON one by one."""
    text = text_of(data)
    if text is None:
        yield BINARY, data.decode("latin-1")
        return
    loaded = _json(text)
    if loaded is not None:
        yield from _strings(loaded, "")
        return
    yield TEXT, text
    if TAGS.search(text):
        yield MARKED_UP, html.unescape(TAGS.sub("", text))


def has_outputs(data: bytes) -> bool:
    """Whether a notebook keeps what its cells gave when they were run."""
    loaded = _json(text_of(data) or "")
    cells = loaded.get("cells") if isinstance(loaded, dict) else None
    return isinstance(cells, list) and any(
        isinstance(cell, dict) and bool(cell.get("outputs") or cell.get("execution_count")) for cell in cells
    )


def _json(text: str) -> object:
    if text.lstrip("\ufeff \t\r\n")[:1] not in ("{", "["):
        return None
    try:
        loaded: object = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return None
    return loaded


def _strings(value: object, place: str) -> Iterator[tuple[str, str]]:
    """Every text in JSON, and where it stands; what is base64 of a text too."""
    if isinstance(value, str):
        yield place.lstrip("."), value
        yield from _decoded(place, value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield f"{place}.(key)".lstrip("."), key
            yield from _strings(inner, f"{place}.{key}")
    elif isinstance(value, list):
        if all(isinstance(inner, str) for inner in value):
            lines = any(inner.endswith("\n") for inner in value)  # as notebooks keep a text
            yield from _strings(("" if lines else "\n").join(value), place)
        else:
            for number, inner in enumerate(value):
                yield from _strings(inner, f"{place}[{number + 1}]")


def _decoded(place: str, value: str) -> Iterator[tuple[str, str]]:
    if ENCODED.fullmatch(value):
        try:
            text = text_of(base64.b64decode(value))
        except ValueError:
            return
        if text is not None:
            yield f"{place} (base64)".lstrip("."), text
