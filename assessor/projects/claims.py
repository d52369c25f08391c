"""What a team claims, in its reproduce.toml, and what runs of its code say of each claim.

A claimed value is taken for one more observation of what the code gives (or for the mean of the `runs` that the team made).
So it must lie in the prediction interval of our runs, x +- t s sqrt(1/m + 1/n). With one interval of 95 % a claim, ten claims
would fail 40 % of honest teams; each interval is therefore made for error_rate / (number of claims), by Bonferroni, so that a
team whose every claim is honest is told "not reproduced" of any of them with at most `error_rate`, however the claims hang
together. Claims of 'at least' and 'at most' are tested on their one side.

A status is evidence for markers, never a mark: a well-argued negative result earns the same.

Sources:
    Hahn and Meeker, Statistical Intervals (1991), chapter 4; CORE-Bench (Siegel et al., 2024) for the rule at one claim.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from assessor.errors import CourseInvalid
from assessor.validation import Number, Strict, parse

FILE = "reproduce.toml"
MAX_FILE_BYTES = 2**18
MAX_CLAIMS, MAX_COMMANDS = 30, 20
FEWEST = 3
"""With fewer runs nothing can be said of a spread."""
QUARTER = 0.25
"""Of a stated level: runs that scatter over more than that do not confirm it."""
NOISE = 1e-9
"""Of the value: what printing and reading a number may change."""

Real = Annotated[float, Field(allow_inf_nan=False, ge=-1e15, le=1e15), Number]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Claim(Strict):
    """One number of the paper.

    Attributes:
        where: the place in the paper: "Table 2, row 3".
        read: the path of the number in the result file: "test.accuracy.0".
        value: as the paper states it; `direction` says whether it is that, at least that or at most that.
        tolerance: by so much the value may be off and still be the same (rounding, other hardware).
        spread, runs: standard deviation over the team's own runs, and how many; `value` is then their mean.
        effect: the difference that the claim is about, such as the gain over a baseline: where the interval of our runs is wider,
            they say nothing. Where it is not given: of 'at least' and 'at most' the size of the value, else a quarter of it.
    """

    name: Line
    where: Line
    read: Line
    value: Real
    direction: Literal["equal", "at least", "at most"] = "equal"
    tolerance: Annotated[Real, Field(ge=0)] | None = None
    spread: Annotated[Real, Field(ge=0)] | None = None
    runs: Annotated[int, Field(ge=1, le=10_000), Number] = 1
    effect: Annotated[Real, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _says_enough(self) -> Claim:
        if self.tolerance is None and self.spread is None:
            raise ValueError("a tolerance (0.005), or a spread with its runs")
        if self.spread is not None and self.runs < 2:
            raise ValueError("runs = 2 or more, over which the spread was found")
        if self.effect is None and self.value == 0:
            raise ValueError("an effect, where the value is 0")
        return self


class Reproduce(Strict):
    """The whole of reproduce.toml.

    Attributes:
        commands: run one after the other by bash, once for each seed, which is in $SEED.
        minutes: how long the team says that one run takes.
        results: the JSON file that the commands write.
        gpu: whether it needs one.
    """

    commands: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00]+$")], ...],
        Field(min_length=1, max_length=MAX_COMMANDS),
    ]
    minutes: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False), Number]
    results: Annotated[str, Field(max_length=200, pattern=r"^\w[\w.-]*(/\w[\w.-]*)*$")] = "results.json"
    gpu: bool = False
    claim: Annotated[tuple[Claim, ...], Field(min_length=1, max_length=MAX_CLAIMS)]

    @model_validator(mode="after")
    def _each_once(self) -> Reproduce:
        names = [claim.name for claim in self.claim]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"each claim's name once ({name!r} is there twice)")
        return self


def read_reproduce(data: bytes) -> Reproduce:
    """Reads a team's reproduce.toml.

    Raises:
        CourseInvalid: the team's; key, what was found, what is allowed.
    """
    file = Path(FILE)
    if len(data) > MAX_FILE_BYTES:
        raise CourseInvalid(file, "(file)", f"{len(data)} bytes", f"at most {MAX_FILE_BYTES}")
    try:
        found = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as fault:
        raise CourseInvalid(file, f"byte {fault.start}", fault.object[fault.start], "UTF-8 text") from None
    except tomllib.TOMLDecodeError as fault:
        raise CourseInvalid(file, "(TOML)", str(fault), "valid TOML") from None
    except RecursionError:
        raise CourseInvalid(file, "(TOML)", "tables within tables without end", "valid TOML") from None
    return parse(Reproduce, file, found)


def read_number(results: bytes, path: str) -> tuple[float | None, str]:
    """A number of a result file, by its path; or None and why there is none."""
    try:
        found: Any = json.loads(results)
    except (ValueError, RecursionError):
        return None, "the result file is not JSON"
    for step in path.split("."):
        if isinstance(found, dict) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdecimal() and len(step) < 8 and int(step) < len(found):
            found = found[int(step)]
        else:
            return None, f"the result file has no {path!r}"
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return None, f"{path!r} is no number"
    if (isinstance(found, int) and abs(found) > 10**300) or not math.isfinite(found):
        return None, f"{path!r} is not finite"
    return float(found), ""


class Status(StrEnum):
    """What runs say of a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Judgement:
    """What our runs say of one claim.

    Attributes:
        numbers: what the runs gave, in the order of the seeds; None where one gave none.
        low, high: the interval in which the claimed value should lie, tolerance included; None where it is open.
    """

    claim: str
    where: str
    direction: str
    value: float
    status: Status
    why: str
    numbers: tuple[float | None, ...]
    mean: float | None = None
    low: float | None = None
    high: float | None = None


def judge(claims: Sequence[Claim], numbers: Mapping[str, Sequence[float | None]], error_rate: float) -> tuple[Judgement, ...]:
    """What the runs say of each of a team's claims.

    Args:
        numbers: claim -> one number a run; None for a run that gave none.
        error_rate: that of all claims together.
    """
    return tuple(_judge(claim, tuple(numbers[claim.name]), error_rate / len(claims)) for claim in claims)


def _judge(claim: Claim, numbers: tuple[float | None, ...], alpha: float) -> Judgement:
    given = [number for number in numbers if number is not None]
    gave = f"{len(given)} of {len(numbers)} runs gave the number"

    def say(status: Status, why: str, *interval: float | None) -> Judgement:
        return Judgement(
            claim.name, claim.where, claim.direction, claim.value, status, why, numbers, fmean(given) if given else None,
            *interval,
        )  # fmt: skip

    if len(given) < FEWEST:
        return say(Status.INCONCLUSIVE, f"{gave}; at least {FEWEST} are needed")
    mean, reach = fmean(given), _reach(claim, given, alpha)
    slack = (claim.tolerance or 0.0) + NOISE * max(abs(claim.value), abs(mean))
    low = None if claim.direction == "at least" else mean - reach - slack
    high = None if claim.direction == "at most" else mean + reach + slack
    if (low is not None and claim.value < low) or (high is not None and claim.value > high):
        return say(Status.NOT_REPRODUCED, f"{_shown(claim.value)} is not {_interval(low, high)}", low, high)
    if len(given) < len(numbers):
        return say(Status.INCONCLUSIVE, f"{gave}; what the others would have given is not known", low, high)
    effect = claim.effect or abs(claim.value) * (QUARTER if claim.direction == "equal" else 1)
    if 2 * reach > effect:
        why = f"an interval of +- {_shown(reach)} cannot tell an effect of {_shown(effect)}: more runs are needed"
        return say(Status.INCONCLUSIVE, why, low, high)
    return say(Status.REPRODUCED, f"{_shown(claim.value)} is {_interval(low, high)}", low, high)


def _reach(claim: Claim, given: Sequence[float], alpha: float) -> float:
    """How far from our mean an honest value may lie: a t quantile times the standard error of the difference.

    The team's own spread, where it gives one, is pooled with ours: both are of the same code.
    """
    n, own = len(given), stdev(given)
    freedom, variance = n - 1, own**2
    if claim.spread is not None:
        freedom += claim.runs - 1
        variance = ((n - 1) * own**2 + (claim.runs - 1) * claim.spread**2) / freedom
    tail = alpha / 2 if claim.direction == "equal" else alpha
    return _quantile(1 - tail, freedom) * math.sqrt(variance * (1 / claim.runs + 1 / n))


@lru_cache(maxsize=1024)
def _quantile(probability: float, freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf(probability, freedom))


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"at most {_shown(high)}" if high is not None else f"at least {_shown(low)}"
    return f"between {_shown(low)} and {_shown(high)}"


def _shown(number: float | None) -> str:
    return f"{number:.4g}"
