"""Rubrics: the course's own, arithmetic of trees, forms, agreement."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.errors import CourseInvalid, ImportRefused
from assessor.projects.rubric import Rubric, Score, form, krippendorff, read_form, read_rubric, score_of, total_of
from assessor.workflow.init import reference_course

LEVELS = 'levels = ["a", "b", "c", "d", "e"]\n'
SMALL = (
    '[[part]]\nname = "analysis"\nweight = 60\ntext = "Analysis"\n'
    f'[[part.part]]\nname = "claim"\nweight = 3\ntext = "Claim?"\n{LEVELS}'
    f'[[part.part]]\nname = "method"\nweight = 1\ntext = "Method?"\n{LEVELS}'
    f'[[part]]\nname = "reporting"\nweight = 40\ntext = "Reporting?"\n{LEVELS}'
)


@pytest.fixture
def small(tmp_path: Path) -> Rubric:
    (tmp_path / "rubric.toml").write_text(SMALL)
    return read_rubric(tmp_path / "rubric.toml")


@pytest.fixture
def filled(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        (tmp_path / "form.csv").write_text(text)
        return tmp_path / "form.csv"

    return write


def sheet(*scores: str | None) -> dict[str, Score]:
    points = [None if score is None else Decimal(score) for score in scores]
    return {name: Score(each, "why") for name, each in zip(("claim", "method", "reporting"), points, strict=True)}


def test_the_courses_rubric_is_30_30_30_10_with_25_to_40_leaves() -> None:
    rubric = read_rubric(reference_course() / "assignments/project/rubric.toml")
    assert [(each.name, each.weight) for each in rubric.criteria] == [
        ("analysis", 30), ("experimentation", 30), ("reflection", 30), ("reporting", 10)
    ]  # fmt: skip
    assert 25 <= len(rubric.leaves()) <= 40
    assert total_of(rubric, {leaf.name: Score(Decimal(61)) for leaf in rubric.leaves()}) == 61


def test_a_total_is_the_weighted_mean_of_weighted_means(small: Rubric) -> None:
    given_scores = sheet("80", "40", "55")
    assert score_of(small.criteria[0], given_scores) == 70  # (3 x 80 + 40) / 4
    assert total_of(small, given_scores) == 64  # .6 x 70 + .4 x 55


def test_what_does_not_apply_is_left_out_and_the_rest_renormalised(small: Rubric) -> None:
    assert total_of(small, sheet("80", None, "55")) == 70  # .6 x 80 + .4 x 55
    assert total_of(small, sheet(None, None, "55")) == 55
    with pytest.raises(ValueError, match="not to apply"):
        total_of(small, sheet(None, None, None))


def _parsed() -> Rubric:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rubric.toml").write_text(SMALL)
        return read_rubric(Path(folder) / "rubric.toml")


PARSED = _parsed()
scores = st.lists(st.none() | st.integers(0, 100).map(str), min_size=3, max_size=3).filter(any)


@given(scores, st.integers(0, 2), st.integers(0, 100))
def test_a_better_leaf_never_lowers_a_total_which_lies_among_its_leaves(
    given_scores: list[str | None], which: int, other: int
) -> None:
    total = total_of(PARSED, sheet(*given_scores))
    points = [Decimal(score) for score in given_scores if score is not None]
    assert min(points) <= total.quantize(Decimal("1e-20")) <= max(points)
    if given_scores[which] is not None and other >= int(given_scores[which] or 0):
        better = [*given_scores[:which], str(other), *given_scores[which + 1 :]]
        assert total_of(PARSED, sheet(*better)) >= total


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("weight = 40", "weight = 30", "sum to 90"),
        ('name = "method"', 'name = "claim"', "each name once"),
        ("weight = 3", "weight = 0", "greater than 0"),
        (LEVELS, 'levels = ["a"]\n', "a descriptor for each of 40, 50, 60, 70, 85"),
        ('text = "Analysis"', f'text = "Analysis"\n{LEVELS}', "not both"),
        ('text = "Claim?"', 'txt = "Claim?"', "text"),
    ],
)
def test_a_rubric_that_is_wrong_is_told_by_its_key(tmp_path: Path, old: str, new: str, words: str) -> None:
    (tmp_path / "rubric.toml").write_text(SMALL.replace(old, new, 1))
    with pytest.raises(CourseInvalid, match=words):
        read_rubric(tmp_path / "rubric.toml")


def test_a_form_that_was_filled_in_is_read_back(small: Rubric, filled: Callable[[str], Path]) -> None:
    given_scores = sheet("80", None, "55.5")
    assert read_form(filled(form(small, given_scores)), small) == given_scores
    empty = form(small)
    assert empty.startswith("leaf,score,comment,criterion,question,40,50,60,70,85\nclaim,,,analysis 60,Claim?,a,b,c,d,e\n")
    with pytest.raises(ImportRefused, match="row 2, column 'score'"):
        read_form(filled(empty), small)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("claim,101,", "0 to 100, or NA"),
        ("claim,good,", "0 to 100, or NA"),
        ("claim,NaN,", "0 to 100, or NA"),
        ('claim,"7,5",', "0 to 100, or NA"),
        ("claim,NA,", "why it does not apply"),
        ("method,5,", "each leaf of the rubric once"),
        ("other,5,", "each leaf of the rubric once"),
        (f"claim,5,{'x' * 2001}", "at most 2000"),
    ],
)
def test_a_form_that_is_wrong_is_refused_by_its_place(
    small: Rubric, filled: Callable[[str], Path], row: str, words: str
) -> None:
    with pytest.raises(ImportRefused, match=words):
        read_form(filled(f"leaf,score,comment\nmethod,50,\nreporting,50,\n{row}\n"), small)
    with pytest.raises(ImportRefused, match="a row for every leaf"):
        read_form(filled("leaf,score,comment\nmethod,50,\n"), small)


def test_krippendorffs_alpha_is_that_of_his_example() -> None:
    """Four observers, twelve units, missing scores: 0.849 for interval data."""
    rows = ["1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3", ". 3 3 3 2 3 4 2 2 5 1 .", "1 2 3 3 2 4 4 1 2 5 1 ."]
    table = [row.split() for row in rows]
    units = [[float(row[place]) for row in table if row[place] != "."] for place in range(12)]
    assert krippendorff(units) == pytest.approx(0.849, abs=0.0005)


def test_alpha_of_too_few_or_of_all_alike_is_none() -> None:
    assert krippendorff([]) is None and krippendorff([[1.0], [2.0]]) is None and krippendorff([[3.0, 3.0]]) is None
    assert krippendorff([[1.0, 1.0], [2.0, 2.0]]) == 1
