"""Trained metrics: a bound from right answers over many seeds, never a bare threshold.

Theory of operation. `assessor calibrate` runs every right answer of an assignment with fresh seeds and keeps the values in
graders/NAME/calibration.json. The bound is the worst of n such values: distribution-free. A student's training is repeated
with other seeds of ours until one run reaches it, at most `retrains` times, and is too low only when all stay below. With

    n >= ln(1 - confidence) / ln(1 - alpha ** (1 / retrains))

right answers are failed with probability alpha at most, with that confidence, if one run says nothing of the next: each
draws its data anew. Which seed is graded is never the student's
choice. And even then a trained metric fails nobody alone: where no test that it depends on failed too, a person looks.

Source:
    Wilks, Determination of sample sizes for setting tolerance limits (1941).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from assessor.errors import GraderFault
from assessor.files import write_text
from assessor.grading.tolerances import WrongAnswer

ALPHA, CONFIDENCE, RETRAINS = 1e-4, 0.95, 3
FILE = "calibration.json"
Run = Callable[[int], object]
"""Trains with a seed and gives the metric."""


class TrainedTooLow(WrongAnswer):
    """A trained metric stayed beyond the bound in every run; by itself it fails nobody."""


def runs_needed(alpha: float = ALPHA, confidence: float = CONFIDENCE, retrains: int = RETRAINS) -> int:
    """How many runs of right answers make their worst value a bound."""
    coverage = 1 - alpha ** (1 / retrains)
    return math.ceil(math.log(1 - confidence) / math.log(coverage))


@dataclass(frozen=True)
class Metric:
    """One calibrated metric.

    Attributes:
        values: of right answers, one a run.
        higher: whether more is better.
        answers: how many runs each right answer gave.
    """

    values: tuple[float, ...]
    higher: bool
    answers: Mapping[str, int] = field(default_factory=dict)

    @property
    def bound(self) -> float:
        """The worst value of a right answer."""
        return min(self.values) if self.higher else max(self.values)

    def reached(self, value: float) -> bool:
        """Whether a run is no worse than the worst right one. NaN never is."""
        return value >= self.bound if self.higher else value <= self.bound


class Calibration:
    """The metrics of an assignment, for one run of its tests; or, when `collect` is given, their making."""

    def __init__(self, grader: Path, collect: dict[str, tuple[list[float], bool]] | None = None) -> None:
        self._grader, self._collect = grader, collect
        self._metrics: dict[str, Metric] | None = None

    def check(self, name: str, run: Run, seeds: Callable[[int], int], *, higher: bool) -> None:
        """Asserts that a student's training reaches what right ones reach.

        Raises:
            TrainedTooLow: the student's; all runs stayed beyond the bound.
            WrongAnswer: the student's; what came back is no number.
            GraderFault: ours; the metric is not calibrated, or with too few runs.
        """
        if self._collect is not None:
            self._collect.setdefault(name, ([], higher))[0].append(_number(run(seeds(0))))
            return
        metric = self._metric(name, higher)
        values = []
        for attempt in range(RETRAINS):
            values.append(_number(run(seeds(attempt))))
            if metric.reached(values[-1]):
                return
        side = "below" if higher else "above"
        shown = ", ".join(f"{value:.4g}" for value in values)
        raise TrainedTooLow(
            f"{name} stayed {side} what right answers reach in each of {RETRAINS} runs",
            f"{name}: {shown}; worst of {len(metric.values)} right runs: {metric.bound:.6g}",
        )

    def _metric(self, name: str, higher: bool) -> Metric:
        if self._metrics is None:
            self._metrics = read_calibration(self._grader)
        found = self._metrics.get(name)
        advice = f"run `assessor calibrate {self._grader.name}`"
        if found is None:
            raise GraderFault(f"{self._grader / FILE}: no metric {name!r}; {advice}")
        if found.higher is not higher:
            raise GraderFault(f"{self._grader / FILE}: {name!r} was calibrated with higher={found.higher}; {advice}")
        if len(found.values) < runs_needed():
            raise GraderFault(f"{self._grader / FILE}: {name!r} has {len(found.values)} runs of {runs_needed()}; {advice}")
        return found


def _number(value: object) -> float:
    """A metric as a number; a tensor of one value counts as one."""
    item = getattr(value, "item", None)
    try:
        plain = item() if callable(item) else value
    except (RuntimeError, ValueError):
        plain = None
    if isinstance(plain, bool) or not isinstance(plain, (int, float)):
        raise WrongAnswer("a single number was expected", f"found {type(value).__name__}")
    return float(plain)


def read_calibration(grader: Path) -> dict[str, Metric]:
    """The metrics of graders/NAME/calibration.json; none where there is no such file.

    Raises:
        GraderFault: ours; it is damaged.
    """
    path = grader / FILE
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_text("utf-8"))
        return {
            name: Metric(tuple(float(value) for value in one["values"]), bool(one["higher"]), dict(one["answers"]))
            for name, one in data["metrics"].items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as fault:
        found = f"{type(fault).__name__}: {fault}"
        raise GraderFault(f"{path}: not a calibration ({found}); run `assessor calibrate` again") from None


def write_calibration(grader: Path, metrics: Mapping[str, Metric], environment: Mapping[str, str]) -> Path:
    """Writes calibration.json, whole or not at all; what it was made with stands in it."""
    path = grader / FILE
    data = {
        "alpha": ALPHA, "confidence": CONFIDENCE, "retrains": RETRAINS, "made_with": dict(environment),
        "metrics": {name: asdict(metric) for name, metric in sorted(metrics.items())},
    }  # fmt: skip
    write_text(path, json.dumps(data, indent=1) + "\n")
    path.chmod(0o644)
    return path
