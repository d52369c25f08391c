"""Reading folders and zip archives by strangers: plain names and bounded bytes, or one clear refusal."""

from __future__ import annotations

import os
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from assessor.errors import SubmissionRefused
from assessor.workflow.submit import MAX_BYTES, read_plain

MAX_ENTRIES = 20_000
MAX_TOTAL_BYTES = 4 * 2**30
MAX_RATIO = 200
"""Deflate cannot honestly do better than about this on notebooks."""
SMALL_BYTES = 2**20
"""Entries below this size may have any ratio."""


@dataclass(frozen=True)
class Found:
    """One file found. `path` is clean: relative, no '..', '/' between its parts. `fault` says why it has no data."""

    path: str
    data: bytes = b""
    modified: datetime | None = None
    fault: str = ""


def read_folder(folder: Path) -> Iterator[Found]:
    """Every ordinary file below a folder; links are named, never followed."""
    for place, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        for name in sorted(names):
            path = Path(place) / name
            shown = path.relative_to(folder).as_posix()
            try:
                data = read_plain(path)
                yield Found(shown, data, datetime.fromtimestamp(path.stat().st_mtime).astimezone())
            except SubmissionRefused as fault:
                yield Found(shown, fault=fault.reason)


def read_zip(archive: Path) -> Iterator[Found]:
    """Every file of a zip archive, one at a time.

    Raises:
        SubmissionRefused: it is no zip archive, or a bomb as a whole.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = opened.infolist()
            if len(entries) > MAX_ENTRIES:
                raise SubmissionRefused(archive, f"{len(entries)} entries, at most {MAX_ENTRIES}")
            total, seen = 0, set[str]()
            for entry in entries:
                if entry.is_dir():
                    continue
                found = _entry(opened, entry, seen)
                total += len(found.data)
                if total > MAX_TOTAL_BYTES:
                    raise SubmissionRefused(archive, "unpacks to more than this machine should hold")
                yield found
    except zipfile.BadZipFile as fault:
        raise SubmissionRefused(archive, f"not a zip archive that can be read ({fault})") from None


def _entry(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, seen: set[str]) -> Found:
    name = entry.filename
    fault = _bad_name(name) or _bad_entry(entry)
    folded = unicodedata.normalize("NFC", name).casefold()
    if not fault and folded in seen:
        fault = "there twice (names that differ only in case count as one)"
    seen.add(folded)
    if fault:
        return Found(_printable(name), fault=fault)
    try:
        with opened.open(entry) as file:
            data = file.read(MAX_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as broken:
        return Found(name, fault=f"cannot be unpacked ({broken})")
    if len(data) > MAX_BYTES:
        return Found(name, fault="larger than it says, and than is allowed")
    return Found(name, data, _modified(entry))


def _bad_name(name: str) -> str:
    parts = PurePosixPath(name).parts
    if not name or "\\" in name or any(ord(char) < 32 or ord(char) == 127 for char in name):
        return "a name with characters that no file of ours has"
    if name.startswith("/") or ":" in parts[0]:
        return "an absolute path"
    if ".." in parts or len(name) > 1000:
        return "a path that leaves its folder"
    return ""


def _bad_entry(entry: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "a link or device, not an ordinary file"
    if entry.flag_bits & 0x1:
        return "encrypted"
    if entry.file_size > MAX_BYTES:
        return f"{entry.file_size} bytes, at most {MAX_BYTES}"
    if entry.file_size > SMALL_BYTES and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
        return "a zip bomb"
    return ""


def _modified(entry: zipfile.ZipInfo) -> datetime | None:
    try:
        return datetime(*entry.date_time)  # noqa: DTZ001 - local time of whoever packed it
    except ValueError:
        return None


def _printable(name: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)[:200]
