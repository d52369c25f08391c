"""Backup of a course in use, and its restoration: one zip file with a hash of everything in it.

The database is copied first, by SQLite's own online backup, so that it is consistent whoever writes meanwhile; hand-ins and
evidence are never changed once they are there, so that what the copy names lies in the zip.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from assessor.course import Course
from assessor.database import Database, open_database
from assessor.database.audit import add_event
from assessor.database.engine import FILE_NAME
from assessor.errors import AssessorError
from assessor.files import replacing

FOLDERS = ("submitted", "autograded", "feedback", "reports", "inbox", ".assessor")
"""What running a course makes and no other command can make again, keys of receipts included."""
MANIFEST = "backup.json"
LOCK = ".assessor/writer.lock"
CHUNK = 2**20


@dataclass(frozen=True)
class BackedUp:
    """A backup that was written, or restored; `removed` are older ones that went."""

    file: str
    files: int
    sha256: str
    removed: tuple[str, ...] = ()


def backup(
    course: Course, database: Database, file: Path, now: datetime, *, author: str = "unknown", keep: int | None = None
) -> BackedUp:
    """Writes a backup; other commands may go on meanwhile. The audit keeps that it was made, by whom.

    Args:
        keep: so many of this course's backups in the file's folder stay, the newest ones; older ones are removed.

    Raises:
        AssessorError: the file exists, the database is damaged, or it is PostgreSQL's, whose own tool does this.
        OSError: ours; the disk is full or read-only.
    """
    if file.exists():
        raise AssessorError(f"{file}: exists already; a backup overwrites nothing, choose another name")
    if database.engine.dialect.name != "sqlite":
        raise AssessorError(
            "this course's database is PostgreSQL: back it up with `pg_dump --format=custom`, and the folders "
            f"{', '.join(FOLDERS)} with your file backup; docs/data.md says how"
        )
    with tempfile.TemporaryDirectory(dir=course.root, prefix=".backup-") as scratch, replacing(file) as temporary:
        copy = Path(scratch) / FILE_NAME
        _copy(Path(database.engine.url.database or ""), copy)
        hashes = {}
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, name in [(copy, FILE_NAME), *_files(course.root)]:
                with path.open("rb") as source, archive.open(name, "w", force_zip64=True) as sink:
                    digest = hashlib.sha256()
                    while part := source.read(CHUNK):
                        digest.update(part)
                        sink.write(part)
                hashes[name] = digest.hexdigest()
            manifest = {"course": course.code, "made": now.astimezone(UTC).isoformat(), "sha256": hashes}
            archive.writestr(MANIFEST, json.dumps(manifest, indent=1, sort_keys=True))
    file.chmod(0o600)
    done = _sha256(file)
    removed = _rotate(course, file, keep) if keep is not None else ()
    with database.transaction() as session:
        detail = {"file": file.name, "sha256": done, "removed": [path.name for path in removed]}
        add_event(session, author, "backup", now, detail)
    return BackedUp(str(file), len(hashes), done, tuple(map(str, removed)))


def _rotate(course: Course, newest: Path, keep: int) -> tuple[Path, ...]:
    """Removes all but so many of the course's backups beside `newest`; files that are no backup of it are left alone."""
    found = [(made, path) for path in newest.parent.glob("*.zip") if (made := _made(course, path))]
    old = [path for _, path in sorted(found, reverse=True) if path != newest][max(0, keep - 1) :]
    for path in old:
        path.unlink()
    return tuple(sorted(old))


def _made(course: Course, file: Path) -> str:
    """When a backup of this course was made; '' where the file is none."""
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = json.loads(archive.read(MANIFEST))
            return str(manifest["made"]) if manifest["course"] == course.code else ""
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, EOFError, OSError):
        return ""


def restore(course: Course, file: Path, *, author: str = "unknown", now: datetime | None = None) -> BackedUp:
    """Lays a backup's files into a course directory that has none of its own; all of them or none.

    Raises:
        AssessorError: the file is damaged or no backup, is another course's, or something would be overwritten.
        OSError: ours; the disk is full or read-only.
    """
    root = course.root
    sides = (f"{FILE_NAME}-wal", f"{FILE_NAME}-shm")  # an old database's; SQLite would write them into the restored one
    there = [name for name in (FILE_NAME, *sides, *FOLDERS) if (root / name).exists() and not _is_bare(root / name)]
    if there:
        raise AssessorError(
            f"{root}: there already: {', '.join(there)}; a restoration overwrites nothing: restore into a copy of the "
            "course without them, or move them away"
        )
    with tempfile.TemporaryDirectory(dir=root, prefix=".restore-") as scratch:
        count = _unpack(course, file, Path(scratch))
        _check(Path(scratch) / FILE_NAME, file)
        done = _sha256(file)
        _note(Path(scratch), author, now or datetime.now(UTC), {"file": file.name, "sha256": done})
        for name in (*FOLDERS, FILE_NAME):  # the database last: without it nothing else is read
            if (Path(scratch) / name).exists():
                if (root / name).is_dir():
                    shutil.rmtree(root / name)
                (Path(scratch) / name).rename(root / name)
    return BackedUp(str(file), count, done)


def _note(folder: Path, author: str, now: datetime, detail: dict[str, str]) -> None:
    """Notes in the audit of a database that is about to be laid down that it was restored."""
    database = open_database(folder, create=True)
    try:
        with database.transaction() as session:
            add_event(session, author, "restore", now, detail)
    finally:
        database.close()


def _is_bare(path: Path) -> bool:
    """Whether a folder holds nothing but the writer's lock, which every command makes."""
    return path.is_dir() and all(each.name == "writer.lock" for each in path.rglob("*"))


def _copy(database: Path, copy: Path) -> None:
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
    _check(copy, database)


def _check(copy: Path, shown: Path) -> None:
    try:
        with closing(sqlite3.connect(copy)) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchone()[0]
            strays = connection.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.DatabaseError as fault:
        found, strays = str(fault), None
    if found != "ok" or strays is not None:
        raise AssessorError(f"{shown}: its database is damaged ({found if found != 'ok' else 'a reference leads nowhere'})")


def _files(root: Path) -> Iterator[tuple[Path, str]]:
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_file() and not path.is_symlink() and name != LOCK:
                yield path, name


def _unpack(course: Course, file: Path, folder: Path) -> int:
    """Unpacks and checks each file against its hash; how many."""
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = json.loads(archive.read(MANIFEST))
            hashes = dict(manifest["sha256"])
            if manifest["course"] != course.code:
                raise AssessorError(f"{file}: a backup of {manifest['course']}, not of {course.code}")
            if {*archive.namelist()} != {*hashes, MANIFEST} or FILE_NAME not in hashes:
                raise AssessorError(f"{file}: its files are not those that it lists; take another backup")
            for name, expected in hashes.items():
                _extract(archive, file, name, expected, folder)
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, EOFError) as fault:
        raise AssessorError(f"{file}: damaged, or no backup ({fault}); take another one") from None
    return len(hashes)


def _extract(archive: zipfile.ZipFile, file: Path, name: str, expected: str, folder: Path) -> None:
    parts = PurePosixPath(name).parts
    if name != FILE_NAME and (parts[0] not in FOLDERS or ".." in parts):
        raise AssessorError(f"{file}: {name!r} is no place in a course; this is no backup of ours")
    target = folder.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with archive.open(name) as source, target.open("wb") as sink:
        while part := source.read(CHUNK):
            digest.update(part)
            sink.write(part)
    target.chmod(0o600 if parts[0] in (".assessor", FILE_NAME) else 0o640)
    if digest.hexdigest() != expected:
        raise AssessorError(f"{file}: {name} is damaged: its SHA-256 is not the one that was noted; take another backup")


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
