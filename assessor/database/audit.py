"""The audit: who did what, and when. Appended only; the database refuses anything else."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from assessor.database.tables import Event


def add_event(session: Session, author: str, verb: str, at: datetime, detail: dict[str, Any]) -> None:
    """Notes it, in the same transaction as what was done."""
    session.add(Event(author=author, verb=verb, at=at, detail=detail))
