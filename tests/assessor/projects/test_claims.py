"""Claims: reproduce.toml, reading numbers, and error rates that hold."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.errors import CourseInvalid
from assessor.projects.claims import Claim, Judgement, Status, judge, read_number, read_reproduce

FILE = """
commands = ["python train.py --seed $SEED"]
minutes = 1

[[claim]]
name = "accuracy"
where = "Table 1"
read = "test.accuracy"
value = 0.91
tolerance = 0.005
"""


def claim(**more: Any) -> Claim:
    return Claim(**{"name": "a", "where": "Table 1", "read": "a", "value": 1.0, "tolerance": 0.0, **more})


def one(numbers: list[float | None], error_rate: float = 0.05, **more: Any) -> Judgement:
    return judge([claim(**more)], {"a": numbers}, error_rate)[0]


# The file


def test_a_file_is_read() -> None:
    found = read_reproduce(FILE.encode())
    assert found.results == "results.json" and found.claim[0].direction == "equal" and not found.gpu


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("minutes = 1", "", "minutes", "required"),
        ("minutes = 1", "minutes = nan", "minutes", "nan"),
        ("tolerance = 0.005", "", "claim[accuracy]", "a tolerance"),
        ("tolerance = 0.005", "spread = 0.01", "claim[accuracy]", "runs = 2"),
        ("value = 0.91", "value = inf", "claim[accuracy].value", "inf"),
        ("value = 0.91", "value = true", "claim[accuracy].value", "a number"),
        ("value = 0.91", "value = 0", "claim[accuracy]", "an effect"),
        ("value = 0.91", "value = 0.91\ndirection = 'more'", "claim[accuracy].direction", "at least"),
        ("minutes = 1", "minutes = 1\nresults = '../../etc/passwd'", "results", "pattern"),
        ("minutes = 1", "minutes = 1\nresults = '/etc/passwd'", "results", "pattern"),
        ("where", "were", "claim[accuracy].were", "where"),
        ("[[claim]]", "[[claim]]\nname='x'\nname='y'", "(TOML)", "valid TOML"),
        ('["python', '["", "python', "commands[1]", "at least 1 character"),
    ],
)
def test_a_file_that_is_wrong_is_told_by_its_key(old: str, new: str, place: str, words: str) -> None:
    with pytest.raises(CourseInvalid) as fault:
        read_reproduce(FILE.replace(old, new, 1).encode())
    assert place in str(fault.value) and words in str(fault.value)


@pytest.mark.parametrize("data", [b"\xff", b"a = " + b"[" * 100_000, b"x" * 2**19, b"", b"claim = 1", b"[[claim]]"])
def test_nonsense_is_refused_as_the_teams(data: bytes) -> None:
    with pytest.raises(CourseInvalid):
        read_reproduce(data)


def test_two_claims_of_one_name_are_refused() -> None:
    twice = FILE + FILE[FILE.index("[[claim]]") :]
    with pytest.raises(CourseInvalid, match="twice"):
        read_reproduce(twice.encode())


# The numbers


@pytest.mark.parametrize(
    ("results", "path", "number"),
    [
        ('{"a": {"b": [1, 2.5]}}', "a.b.1", 2.5),
        ('{"a": 3}', "a", 3.0),
        ("[[1], [2]]", "1.0", 2.0),
        ('{"a": NaN}', "a", "not finite"),
        ('{"a": -Infinity}', "a", "not finite"),
        ('{"a": 1e999}', "a", "not finite"),
        ('{"a": 1' + "0" * 400 + "}", "a", "not finite"),
        ('{"a": 1' + "0" * 6000 + "}", "a", "not JSON"),
        ('{"a": true}', "a", "no number"),
        ('{"a": "0.9"}', "a", "no number"),
        ('{"a": {}}', "a.b", "no 'a.b'"),
        ('{"a": [1]}', "a.7", "no 'a.7'"),
        ('{"a": [1]}', "a.-1", "no 'a.-1'"),
        ("", "a", "not JSON"),
        ("[" * 100_000, "a", "not JSON"),
    ],
)
def test_a_number_is_read_or_it_is_said_why_not(results: str, path: str, number: object) -> None:
    found, why = read_number(results.encode(), path)
    assert found == number if isinstance(number, float) else found is None and str(number) in why


@given(st.binary(max_size=200), st.text(max_size=20))
def test_no_result_file_breaks_the_reader(results: bytes, path: str) -> None:
    found, why = read_number(results, path)
    assert (found is None) == bool(why)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_as_it_was_written(value: float) -> None:
    assert read_number(json.dumps({"a": value}).encode(), "a") == (value, "")


# The judgement


def test_the_interval_of_three_runs_is_the_published_one() -> None:
    """CORE-Bench: n = 3 gives +- 4.97 s at 95 %."""
    found = one([0.0, 1.0, 2.0], value=1.0)
    assert found.high is not None and found.high - 1 == pytest.approx(4.97, abs=0.005)


def test_fewer_than_three_runs_say_nothing() -> None:
    assert one([5.0, 5.0]).status is Status.INCONCLUSIVE
    assert one([5.0, None, 5.0, None]).status is Status.INCONCLUSIVE
    assert one([]).status is Status.INCONCLUSIVE


def test_runs_that_always_give_the_same_are_held_to_the_tolerance() -> None:
    assert one([0.913] * 3, value=0.91, tolerance=0.005).status is Status.REPRODUCED
    assert one([0.92] * 3, value=0.91, tolerance=0.005).status is Status.NOT_REPRODUCED
    assert one([0.1 + 0.2] * 3, value=0.3).status is Status.REPRODUCED


def test_a_one_sided_claim_is_tested_on_its_side() -> None:
    runs: list[float | None] = [0.90, 0.91, 0.92, 0.90, 0.91]
    assert one(runs, value=0.5, direction="at least").status is Status.REPRODUCED
    assert one(runs, value=0.5, direction="at most").status is Status.NOT_REPRODUCED
    assert one(runs, value=0.99, direction="at least").status is Status.NOT_REPRODUCED
    assert one(runs, value=0.99, direction="at most").status is Status.REPRODUCED


def test_what_cannot_be_told_apart_is_inconclusive() -> None:
    noisy: list[float | None] = [0.2, 0.9, 0.5, 0.7]
    found = one(noisy, value=0.6, effect=0.05)
    assert found.status is Status.INCONCLUSIVE and "more runs" in found.why
    assert one(noisy, value=60.0, effect=0.05).status is Status.NOT_REPRODUCED


def test_runs_that_scatter_over_a_quarter_of_a_stated_level_do_not_confirm_it() -> None:
    runs: list[float | None] = [0.5, 0.9, 0.7, 0.8]
    assert one(runs, value=0.7).status is Status.INCONCLUSIVE
    assert one(runs, value=0.7, effect=5.0).status is Status.REPRODUCED


def test_a_run_that_failed_never_helps_a_claim() -> None:
    assert one([1.0, 1.0, 1.0, None]).status is Status.INCONCLUSIVE
    assert one([9.0, 9.0, 9.0, None]).status is Status.NOT_REPRODUCED


def test_a_stated_spread_makes_the_interval_of_few_runs_narrower() -> None:
    runs: list[float | None] = [0.90, 0.91, 0.92]
    alone, told = one(runs, value=0.91), one(runs, value=0.91, spread=0.01, runs=10, tolerance=None)
    assert alone.high and told.high and told.high - 0.91 < (alone.high - 0.91) / 2


def honest(rng: np.random.Generator, *, claims: int, runs: int, correlated: bool) -> list[Status]:
    """A team whose claims are draws, or means of draws, of what its code gives; every claim at its least favourable."""
    size = (runs + 5, 1 if correlated else claims)
    draws = rng.normal(size=size) * np.ones((1, claims)) + 10
    stated, numbers = [], {}
    for place in range(claims):
        own, ours = draws[:5, place], draws[5:, place]
        kind = {"name": str(place), "direction": ("equal", "at least", "at most")[place % 3]}
        if place % 2:
            stated.append(claim(**kind, value=float(own[0])))
        else:
            stated.append(claim(**kind, value=float(own.mean()), spread=float(own.std(ddof=1)), runs=5, tolerance=None))
        numbers[str(place)] = [float(each) for each in ours]
    return [found.status for found in judge(stated, numbers, 0.05)]


@pytest.mark.parametrize("correlated", [False, True])
@pytest.mark.parametrize(("claims", "runs"), [(1, 3), (10, 3), (10, 5), (30, 8)])
def test_an_honest_team_is_failed_on_any_claim_no_more_often_than_stated(claims: int, runs: int, correlated: bool) -> None:
    rng, teams = np.random.default_rng(7), 12_000 // max(6, claims)
    failed = sum(Status.NOT_REPRODUCED in honest(rng, claims=claims, runs=runs, correlated=correlated) for _ in range(teams))
    room = 4 * math.sqrt(0.05 * 0.95 / teams)
    assert failed / teams <= 0.05 + room
    if not correlated or claims == 1:
        assert failed / teams >= 0.05 - room - 0.002  # and the rate is used up: the test could be failed


def test_ten_intervals_of_95_percent_would_have_failed_many_honest_teams() -> None:
    rng = np.random.default_rng(7)
    stated = [claim(name=str(place)) for place in range(10)]
    failed = 0
    for _ in range(500):
        draws = rng.normal(size=(6, 10))
        own = [each.model_copy(update={"value": float(draws[0, place])}) for place, each in enumerate(stated)]
        numbers = {str(place): [float(each) for each in draws[1:, place]] for place in range(10)}
        failed += any(judge([each], numbers, 0.05)[0].status is Status.NOT_REPRODUCED for each in own)
    assert 0.3 < failed / 500 < 0.5


def test_an_inflated_claim_is_found() -> None:
    rng = np.random.default_rng(3)
    found = [one([float(x) for x in rng.normal(0.88, 0.005, 5)], 0.05 / 5, value=0.95) for _ in range(200)]
    assert sum(each.status is Status.NOT_REPRODUCED for each in found) > 195
