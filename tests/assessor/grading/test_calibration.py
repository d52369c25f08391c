"""Trained metrics: bounded by right answers, repeated with our seeds, and never a fail by themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assessor.errors import GraderFault
from assessor.grading.calibration import Metric, read_calibration, runs_needed, write_calibration
from assessor.grading.results import Verdict

from .conftest import Grade

TESTS = """
    @pytest.mark.marks(1)
    def test_step(student):
        '''One step of training.'''
        assert_close_to(student.step(2.0), 1.0)
    @pytest.mark.marks(1)
    @pytest.mark.depends("test_step")
    def test_trained(student, calibrated):
        '''Trained, it should be good.'''
        calibrated("accuracy", lambda seed: student.train(seed))
"""
RIGHT = "def step(x): return x / 2\n"


def grader(tmp_path: Path, values: list[float], *, higher: bool = True) -> None:
    (tmp_path / "grader").mkdir(exist_ok=True)
    write_calibration(tmp_path / "grader", {"accuracy": Metric(tuple(values), higher, {"the solution": len(values)})}, {})


def test_the_number_of_runs_is_that_of_the_literature() -> None:
    assert runs_needed(1e-4, 0.95, 1) == 29_956
    assert runs_needed(1e-4, 0.95, 2) == 299
    assert runs_needed(1e-4, 0.95, 3) == 64, "63.03, which is more than 63"


def test_a_bound_is_the_worst_right_value_and_nan_never_reaches_it() -> None:
    up, down = Metric((0.9, 0.8, 0.95), True), Metric((0.9, 0.8, 0.95), False)
    assert (up.bound, down.bound) == (0.8, 0.95)
    assert (up.reached(0.8), up.reached(0.79), down.reached(0.95), down.reached(0.96)) == (True, False, True, False)
    assert not up.reached(float("nan")) and not down.reached(float("nan"))


@pytest.mark.parametrize(
    ("train", "verdict", "retrains"),
    [
        ("return 0.93", Verdict.PASSED, 0),
        ("runs.append(seed); return 0.1 if len(runs) < 3 else 0.95", Verdict.PASSED, 2),
        ("return 0.89", Verdict.REVIEW, 2),
        ("return float('nan')", Verdict.REVIEW, 2),
        ("import torch; return torch.tensor([0.95])", Verdict.PASSED, 0),
        ("return 'good'", Verdict.FAILED, 0),
        ("return True", Verdict.FAILED, 0),
        ("return None", Verdict.FAILED, 0),
    ],
)
def test_a_low_metric_alone_goes_to_a_person(
    grade_with: Grade, tmp_path: Path, train: str, verdict: Verdict, retrains: int
) -> None:
    grader(tmp_path, [0.9 + 0.001 * n for n in range(64)])
    results = grade_with(TESTS, f"{RIGHT}runs = []\ndef train(seed): {train}")
    assert results["test_step"].verdict is Verdict.PASSED
    assert (results["test_trained"].verdict, results["test_trained"].retrains) == (verdict, retrains)


def test_a_low_metric_with_a_broken_part_is_a_fail(grade_with: Grade, tmp_path: Path) -> None:
    grader(tmp_path, [0.9] * 64)
    results = grade_with(TESTS, "def step(x): return x\ndef train(seed): return 0.5")
    assert [result.verdict for result in results.values()] == [Verdict.FAILED, Verdict.FAILED]
    assert "0.9" not in results["test_trained"].message, "the bound is ours"
    assert "worst of 64 right runs: 0.9" in results["test_trained"].detail


def test_each_try_has_a_seed_of_its_own_that_the_student_cannot_choose(grade_with: Grade, tmp_path: Path) -> None:
    grader(tmp_path, [0.9] * 64)
    notebook = f"{RIGHT}seen = []\ndef train(seed):\n    seen.append(seed)\n    return 0.1 * len(set(seen)) + 0.65"
    assert grade_with(TESTS, notebook)["test_trained"].verdict is Verdict.PASSED  # reached at the third, distinct seed


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no metric 'accuracy'; run `assessor calibrate"),
        ({"metrics": {"accuracy": {"values": [0.9] * 63, "higher": True, "answers": {}}}}, "63 runs of 64"),
        ({"metrics": {"accuracy": {"values": [0.9] * 64, "higher": False, "answers": {}}}}, "higher=False"),
        ({"metrics": []}, "not a calibration"),
        ({"metrics": {"accuracy": {"values": ["x"]}}}, "not a calibration"),
    ],
)
def test_a_missing_or_thin_calibration_is_our_fault(grade_with: Grade, tmp_path: Path, content: object, words: str) -> None:
    (tmp_path / "grader").mkdir()
    if content is not None:
        (tmp_path / "grader/calibration.json").write_text(json.dumps(content))
    result = grade_with(TESTS, f"{RIGHT}def train(seed): return 1.0")["test_trained"]
    assert result.verdict is Verdict.REVIEW
    assert words in result.detail


def test_what_is_written_is_read(tmp_path: Path) -> None:
    metrics = {"loss": Metric((0.1, 0.2), False, {"the solution": 1, "other": 1})}
    write_calibration(tmp_path, metrics, {"torch": "2"})
    assert read_calibration(tmp_path) == metrics
    (tmp_path / "calibration.json").write_text("{")
    with pytest.raises(GraderFault, match="not a calibration"):
        read_calibration(tmp_path)
