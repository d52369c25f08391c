"""The demo's 24 made-up students: who they are, what fate is planted and what mark must come of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal


@dataclass(frozen=True)
class Planted:
    """One student's plan for the first lab.

    Attributes:
        fate: name of the fate, a key of `fates.FATES`.
        points: what the hidden tests must give, or None where there is nothing to mark.
        late: how long after the deadline it is handed in (negative: before).
        factor: what lateness must leave of the mark.
    """

    id: str
    name: str
    fate: str
    points: Decimal | None
    late: timedelta = timedelta(hours=-20)
    factor: Decimal = Decimal(1)
    extension: timedelta | None = None
