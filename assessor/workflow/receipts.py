"""Receipts: what was handed in, by whom, when, signed by the course. Proof for both sides."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from assessor.errors import ReceiptInvalid
from assessor.files import write_text
from assessor.workflow.keys import fingerprint

VERSION = 1
MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class ReceiptFile:
    """One handed-in file."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Receipt:
    """One hand-in. `late` says whether it was after the general deadline; an extension may excuse that."""

    course: str
    student: str
    assignment: str
    attempt: int
    submitted_at: datetime
    files: tuple[ReceiptFile, ...]
    late: bool
    key: str
    signature: str = ""


def sign(receipt: Receipt, key: Ed25519PrivateKey) -> Receipt:
    """The receipt with the course's signature over everything in it."""
    named = Receipt(**{**_fields(receipt), "key": fingerprint(key.public_key()), "signature": ""})
    signature = base64.b64encode(key.sign(_signed_bytes(named))).decode()
    return Receipt(**{**_fields(named), "signature": signature})


def write_receipt(receipt: Receipt, path: Path) -> None:
    """Writes a receipt as JSON, wholly or not at all."""
    write_text(path, json.dumps(_plain(receipt), indent=1, ensure_ascii=False) + "\n")


def verify(path: Path, key: Ed25519PublicKey) -> Receipt:
    """Reads a receipt and proves it.

    Raises:
        ReceiptInvalid: it is none, was changed, or was signed by another course.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ReceiptInvalid(path, "too large for a receipt")
    try:
        data = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_no_doubles)
        receipt = _parse(data)
    except (ValueError, TypeError, KeyError, RecursionError) as fault:
        raise ReceiptInvalid(path, f"not readable as one ({str(fault)[:80]})") from None
    if receipt.key != fingerprint(key):
        raise ReceiptInvalid(path, f"signed with key {receipt.key}, this course's is {fingerprint(key)}")
    try:
        key.verify(base64.b64decode(receipt.signature, validate=True), _signed_bytes(receipt))
    except (InvalidSignature, binascii.Error):
        raise ReceiptInvalid(path, "the signature does not fit: it was changed, or is no receipt of this course") from None
    return receipt


def _fields(receipt: Receipt) -> dict[str, Any]:
    return {name: getattr(receipt, name) for name in Receipt.__dataclass_fields__}


def _plain(receipt: Receipt) -> dict[str, Any]:
    when = receipt.submitted_at.astimezone(UTC).isoformat()
    return {"version": VERSION, **asdict(receipt), "submitted_at": when}


def _signed_bytes(receipt: Receipt) -> bytes:
    """What is signed: everything but the signature, in one canonical form."""
    data = {key: value for key, value in _plain(receipt).items() if key != "signature"}
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _parse(data: dict[str, Any]) -> Receipt:
    if data.pop("version") != VERSION:
        raise ValueError("another version")
    if set(data) != set(Receipt.__dataclass_fields__):
        raise ValueError("its keys are not those of a receipt")
    files = tuple(ReceiptFile(**entry) for entry in data["files"])
    when = datetime.fromisoformat(data["submitted_at"])
    if when.tzinfo is None:
        raise ValueError("a time without a zone")
    return Receipt(**{**data, "files": files, "submitted_at": when})
