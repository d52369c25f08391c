"""Submissions that attack: each gets its true score and no more, and nobody else notices."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from assessor.grading.results import Grading, Verdict
from assessor.notebooks.render import to_html
from gpu_runner.sandbox import get_sandbox

from .conftest import FULL_MARKS, HERE, HOSTILE, Course, Lane, Seen, Trials
from .host import Baits, accesses_show
from .percent import read_hostile

SECTIONS = ("Forging a mark", "Reaching out", "Breaking")
DIFFERENT = "breaking_pid_1_taken_over breaking_thirty_gigabytes reaching_abstract_sockets".split()
"""What another kind of sandbox keeps by means of its own: its first process, its cgroup, its network."""
MAX_KEPT = 10**7


def said(grading: Grading) -> str:
    """All that staff or student may come to read of a grading, and all that is kept."""
    return repr(grading)


def streams(grading: Grading) -> str:
    """What the run printed and displayed."""
    cells = json.loads(grading.execution.notebook)["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "\n".join("".join(output.get("text", "")) + repr(output.get("data", "")) for output in outputs)


def complaints(seen: Seen, course: Course) -> list[str]:
    """What does not hold of that which must hold whatever was tried."""
    hostile, grading = seen.hostile, seen.grading
    if isinstance(grading, BaseException):
        return [f"it raised {grading!r}, a fault of ours"]
    everything = said(grading)
    reached = re.findall(r"reached: .{1,200}", streams(grading) + "".join(test.message + test.detail for test in grading.tests))
    lost = [(test.name, test.message) for honest in seen.honest for test in honest.tests if test.verdict is not Verdict.PASSED]
    story = f"{grading.execution.outcome}; {grading.note}; {[(t.name, t.verdict.value, t.message[:300]) for t in grading.tests]}"
    found = {
        f"its outcome is not {hostile.outcomes}: {story}": str(grading.execution.outcome) not in hostile.outcomes,
        f"it got {grading.points} marks of {grading.out_of}, not {hostile.marks}: {story}": not (
            hostile.marks[0] <= grading.points <= hostile.marks[1] and grading.out_of == FULL_MARKS
        ),
        f"a test of ours goes to review: {story}": grading.needs_review,
        f"nobody says any of {hostile.says}: {grading.changes}; {story}": not any(one in everything for one in hostile.says),
        f"it says {reached}": bool(reached),
        "a secret is in what is kept": course.baits.word in everything,
        f"{len(everything)} characters are kept": len(everything) > MAX_KEPT,
        f"the honest one lost {lost}": bool(lost),
        f"the honest one got {[honest.points for honest in seen.honest]}": any(h.points != FULL_MARKS for h in seen.honest),
        f"baits were touched: {seen.baits}": bool(seen.baits),
        f"before it: {seen.before}; after it: {seen.after}": seen.before != seen.after,
    }
    return [f"{text} (run: {', '.join(seen.beside)})" for text, wrong in found.items() if wrong]


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: path.stem)
def test_it_earns_what_it_deserves_and_nobody_else_notices(path: Path, trials: Trials, course: Course) -> None:
    assert complaints(trials.of(path), course) == []


@pytest.mark.parametrize("backend", ["podman", "gvisor"])
def test_containers_hold_what_is_different_in_them(backend: str, trials: Trials, course: Course) -> None:
    missing = get_sandbox(backend).unavailable()
    if missing is not None:
        pytest.skip(f"this machine has no {backend}: {missing[0]}")
    seen = trials.apart([HERE / "hostile" / f"{name}.py" for name in DIFFERENT], backend)
    assert [complaint for one in seen for complaint in complaints(one, course)] == []


def test_what_is_kept_is_harmless_in_a_browser(trials: Trials) -> None:
    grading = trials.of(HERE / "hostile" / "reaching_markers_browser.py").grading
    assert isinstance(grading, Grading)
    page = to_html(json.loads(grading.execution.notebook)).partition("<body")[2].lower()
    assert "alert(1)" in page  # as text
    assert re.findall(r"<script|<iframe|<svg|<[^>]+\s(?:onerror|srcdoc)|href=.?javascript", page) == []


def test_the_run_after_the_last_one_is_untouched(trials: Trials, lanes: list[Lane]) -> None:
    for future in [lane.start(None) for lane in lanes]:
        assert future.result().points == FULL_MARKS


def test_the_suite_is_whole() -> None:
    found = [read_hostile(path, {}) for path in HOSTILE]
    assert len(found) >= 80
    assert {hostile.threat.split(".")[0] for hostile in found} == set(SECTIONS)
    assert len({hostile.threat for hostile in found}) == len(found)


def test_a_bait_that_is_read_changed_or_called_shows(tmp_path: Path) -> None:
    baits = Baits("word")
    read, changed = baits.lay(tmp_path / "read"), baits.lay(tmp_path / "changed")
    assert baits.disturbed() == []
    changed.write_text("other")
    read.read_bytes()
    assert str(changed) in baits.disturbed()
    if accesses_show(tmp_path):
        assert str(read) in baits.disturbed()
    assert baits.take_up() == [str(changed)]


def test_an_honest_submission_of_the_file_format_earns_all(course: Course, lanes: list[Lane], tmp_path: Path) -> None:
    path = tmp_path / "honest.py"
    head = "# Threat: Breaking. None.\n# Outcome: completed\n# Marks: 8\n"
    path.write_text(head + "# %%\nprint(open('x.txt').read())\n# %% [file] x.txt\nhi\n")
    grading = lanes[0].start(course.hostile(path)).result()
    assert grading.points == FULL_MARKS
    assert "hi" in streams(grading)
