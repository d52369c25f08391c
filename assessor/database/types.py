"""Column types that keep exactly what they are given on every engine."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import DateTime, Dialect, Numeric, String
from sqlalchemy.types import TypeDecorator, TypeEngine

PLACES = Decimal("1e-10")
"""A third has no last decimal: what is worked out is rounded to ten, what people write has no more."""
LIMIT = Decimal(10) ** 8


class Exact(TypeDecorator[Decimal]):
    """A `Decimal` to ten places: NUMERIC where the engine has one, text on SQLite, which would make it a float."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text on SQLite, NUMERIC(18, 10) elsewhere."""
        return dialect.type_descriptor(String(20) if dialect.name == "sqlite" else Numeric(18, 10))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Refuses anything but a finite Decimal of at most eight digits before its point."""
        if value is None:
            return None
        if not isinstance(value, Decimal) or not value.is_finite() or abs(value) >= LIMIT:
            raise ValueError(f"not an exact mark: {value!r}")
        exact = value.quantize(PLACES)
        return f"{exact:f}" if dialect.name == "sqlite" else exact

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """The number without trailing zeros."""
        if value is None:
            return None
        return tidy(value)


@lru_cache(maxsize=4096)
def tidy(value: str | Decimal) -> Decimal:
    """The number without trailing zeros. A cohort's marks are few numbers many times."""
    number = Decimal(value)
    whole = number.to_integral_value()
    return whole if number == whole else number.normalize()


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant, kept as UTC; a naive one is refused, because nobody knows when it was."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value}")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
