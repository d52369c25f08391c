"""Seeds that a student cannot know or choose, and that an appeal can repeat."""

from __future__ import annotations

import hashlib
import hmac

SEED_BITS = 63


def derive_seed(secret: bytes, student: str, assignment: str, run: int | str = 0) -> int:
    """The seed of one grading run: HMAC-SHA256(course secret, student, assignment, run), 63 bits."""
    return _number(secret, "run", student, assignment, str(run))


def sub_seed(seed: int, *purpose: str) -> int:
    """A seed for one purpose of a run (a test's inputs, the student's generators), independent of all others."""
    return _number(seed.to_bytes(8, "big"), *purpose)


def _number(key: bytes, *parts: str) -> int:
    # Each part is preceded by its length: ("ab", "c") and ("a", "bc") are different messages.
    message = b"".join(len(raw).to_bytes(4, "big") + raw for raw in (part.encode() for part in parts))
    return int.from_bytes(hmac.digest(key, message, hashlib.sha256)[:8], "big") >> (64 - SEED_BITS)
