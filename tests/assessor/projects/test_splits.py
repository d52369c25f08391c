"""Splits: the worked examples, and what holds of any ratings."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.marking.acts import TeamShare
from assessor.projects.splits import Part, catme, signed, spark, webpa

MEMBERS = ("alice", "bob", "claire", "david", "elaine")
MANUAL = {
    "alice": (4, 4, 3, 2, 1),
    "bob": (3, 5, 3, 2, 0),
    "claire": (4, 4, 4, 4, 4),
    "david": (3, 5, 4, 3, 1),
}
RATINGS = {rater: dict(zip(MEMBERS, map(Decimal, row), strict=True)) for rater, row in MANUAL.items()}
"""The worked example of WebPA's manual. Elaine handed in no form."""


def rounded(parts: dict[str, Part], places: str = "0.01") -> list[str]:
    return [str(part.factor.quantize(Decimal(places))) for part in parts.values()]


def marks(parts: dict[str, Part], mark: int, penalty: str = "1") -> list[str]:
    shares = [TeamShare("t", part.factor, "", Decimal(1) if part.rated else Decimal(penalty)) for part in parts.values()]
    return [str(share.of(Decimal(mark)).quantize(Decimal("0.1"))) for share in shares]


def test_a_signed_split_gives_each_member_size_times_share() -> None:
    shares = dict(zip("abcd", map(Decimal, (30, 30, 25, 15)), strict=True))
    assert marks(signed(shares), 68) == ["81.6", "81.6", "68.0", "40.8"]
    assert marks(signed(shares), 90)[0] == "100.0"


def test_a_split_that_does_not_come_to_100_is_refused() -> None:
    with pytest.raises(ValueError, match=r"sum to 99\.9"):
        signed({"a": Decimal(50), "b": Decimal("49.9")})


def test_webpa_is_its_manuals_example() -> None:
    assert rounded(webpa(MEMBERS, RATINGS, Decimal(1))) == ["1.13", "1.48", "1.12", "0.86", "0.42"]
    half = webpa(MEMBERS, RATINGS, Decimal("0.5"))
    assert marks(half, 80) == ["85.2", "99.1", "84.8", "74.2", "56.7"]
    assert marks(half, 80, "0.9")[-1] == "51.0"
    assert [name for name, part in half.items() if part.note] == ["bob", "elaine"]


def test_spark_takes_the_root_of_what_was_received() -> None:
    parts = spark(MEMBERS, RATINGS)
    assert rounded(parts) == ["1.05", "1.20", "1.05", "0.93", "0.69"]
    assert not parts["elaine"].rated
    assert "SAPA" not in parts["alice"].note  # 4 of herself, 3.33 of the others: sqrt 1.2 = 1.10


def test_spark_notes_who_rates_himself_higher_than_the_others_do() -> None:
    ratings = {"a": {"a": Decimal(5), "b": Decimal(2)}, "b": {"a": Decimal(3), "b": Decimal(3)}}
    assert spark(("a", "b"), ratings)["a"].note == "self over peers (SAPA) 1.29, outside 0.8 to 1.25"


def test_catme_is_raw_or_capped() -> None:
    assert rounded(catme(MEMBERS, RATINGS, adjusted=False)) == ["1.10", "1.43", "1.10", "0.88", "0.49"]
    assert rounded(catme(MEMBERS, RATINGS)) == ["1.05", "1.05", "1.05", "0.88", "0.49"]


def test_catme_counts_nearly_the_mean_as_the_mean() -> None:
    ratings = {"a": {"b": Decimal(4)}, "b": {"a": Decimal("3.9")}}
    assert [part.factor for part in catme(("a", "b"), ratings).values()] == [1, 1]


def test_nobody_is_marked_by_no_ratings() -> None:
    for method in (webpa, spark, catme):
        with pytest.raises(ValueError, match=r"nobody|anybody"):
            method(MEMBERS, {})


cells = st.integers(min_value=0, max_value=5).map(Decimal)


@given(st.lists(st.lists(cells, min_size=4, max_size=4).filter(any), min_size=1, max_size=4))
def test_webpa_keeps_the_teams_mean_whoever_rates_whom(rows: list[list[Decimal]]) -> None:
    members = ("a", "b", "c", "d")
    ratings = {members[place]: dict(zip(members, row, strict=True)) for place, row in enumerate(rows)}
    factors = [part.factor for part in webpa(members, ratings).values()]
    assert abs(sum(factors) - 4) < Decimal("0.00001")
    assert all(factor >= Decimal("0.5") for factor in factors)


@given(st.permutations(MEMBERS))
def test_no_method_hangs_on_the_order_of_members(order: list[str]) -> None:
    for method in (webpa, spark, catme):
        assert method(order, RATINGS) == method(MEMBERS, RATINGS)
