"""Whose work a moderator sees: all fails, all near a boundary, the top, and a stratified random part of the rest.

Sources:
    Brighton: the square root of N, and all borderlines. UAL: a tenth at least, and all fails and top marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil, isqrt
from random import Random

from assessor.course import MarkingPolicy
from assessor.marking.agreement import band
from assessor.marking.exact import plain

FAIL, TOP, RANDOM = "fail", "top", "random"


@dataclass(frozen=True)
class Piece:
    """One marked piece of work: whose, its mark in percent, and who marked it."""

    student: str
    percent: Decimal
    marker: str


@dataclass(frozen=True)
class Chosen:
    """A piece of work for the moderator, and why."""

    piece: Piece
    why: str


def sample(pieces: Sequence[Piece], policy: MarkingPolicy, seed: int) -> tuple[Chosen, ...]:
    """The sample, in the order of students; the same for the same seed."""
    rules, chosen = policy.moderation, {}
    for piece in pieces:
        near = [mark for mark in policy.boundaries if abs(piece.percent - mark) <= rules.near]
        if piece.percent < policy.pass_mark:
            chosen[piece.student] = Chosen(piece, FAIL)
        elif near:
            chosen[piece.student] = Chosen(piece, f"near {plain(near[0])}")
    for piece in sorted(pieces, key=lambda each: (-each.percent, each.student))[: rules.top]:
        chosen.setdefault(piece.student, Chosen(piece, TOP))
    rest = [piece for piece in pieces if piece.student not in chosen]
    wanted = max(_root(len(pieces)), ceil(rules.part * len(pieces)), rules.least)
    for piece in _stratified(rest, wanted, policy.boundaries, Random(seed)):  # noqa: S311 - to be repeated, not secret
        chosen[piece.student] = Chosen(piece, RANDOM)
    return tuple(chosen[student] for student in sorted(chosen))


def _root(count: int) -> int:
    """The square root, rounded up."""
    return isqrt(count - 1) + 1 if count else 0


def _stratified(pieces: Sequence[Piece], wanted: int, boundaries: Sequence[Decimal], random: Random) -> list[Piece]:
    """So many by lot, spread over bands and markers in proportion, as evenly as whole pieces allow.

    Each piece of a stratum of n is put at (place + a random part) / n; the `wanted` lowest are taken.
    """
    strata: dict[tuple[int, str], list[Piece]] = {}
    for piece in sorted(pieces, key=lambda each: each.student):
        strata.setdefault((band(piece.percent, boundaries), piece.marker), []).append(piece)
    placed = []
    for key in sorted(strata):
        own = strata[key]
        random.shuffle(own)
        start = random.random()
        placed += [((place + start) / len(own), piece.student, piece) for place, piece in enumerate(own)]
    return [piece for *_, piece in sorted(placed, key=lambda each: each[:2])[:wanted]]
