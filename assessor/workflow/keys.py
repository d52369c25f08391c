"""A course's secrets: the seed of all seeds, and the key that signs receipts. In .assessor/, readable by their owner only."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from assessor.errors import AssessorError

FOLDER = ".assessor"
SECRET, PRIVATE, PUBLIC = "secret", "receipt-key.pem", "receipt-key.pub.pem"
SECRET_BYTES = 32


def private_folder(root: Path) -> Path:
    """The course's own folder, made with mode 700."""
    folder = root / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def course_secret(root: Path) -> bytes:
    """The secret that seeds hidden data; made at first need.

    Raises:
        AssessorError: it is damaged, or others may read it.
    """
    path = private_folder(root) / SECRET
    secret = _read_or_make(path, lambda: secrets.token_bytes(SECRET_BYTES))
    if len(secret) != SECRET_BYTES:
        raise AssessorError(f"{path}: {len(secret)} bytes, expected {SECRET_BYTES}; restore it from a backup")
    return secret


def signing_key(root: Path) -> Ed25519PrivateKey:
    """The key that signs receipts; made, with its public half beside it, at first need.

    Raises:
        AssessorError: it is damaged, or others may read it.
    """
    path = private_folder(root) / PRIVATE
    pem = _read_or_make(path, _new_key)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise AssessorError(f"{path}: not an Ed25519 private key; restore it from a backup")
    public = path.with_name(PUBLIC)
    if not public.exists():
        public.write_bytes(_public_pem(key.public_key()))
    return key


def course_public_key(root: Path) -> Ed25519PublicKey:
    """The key that proves receipts.

    Raises:
        AssessorError: the course has signed nothing yet, or the file is damaged.
    """
    path = root / FOLDER / PUBLIC
    if not path.is_file():
        raise AssessorError(f"{path}: not there: this course has signed no receipt yet, or give its key with --key")
    return read_public_key(path)


def read_public_key(path: Path) -> Ed25519PublicKey:
    """A public key from a PEM file.

    Raises:
        AssessorError: it is none.
    """
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise AssessorError(f"{path}: not an Ed25519 public key (PEM)")
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """A short name of a key: the first 16 hex digits of the SHA-256 of its raw form."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """Reads a private file; makes it whole and once where it is not there, even when two processes want it at once."""
    if not path.exists():
        partial = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(partial, path)  # fails where another was first: theirs counts
        except FileExistsError:
            pass
        finally:
            partial.unlink()
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise AssessorError(f"{path}: mode {mode:o}: others may read it; make a new one, or chmod 600 if none did")
    return path.read_bytes()
