"""A team's code is run again: the three example teams, and what hostile or broken code comes to."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from assessor.course import Course, load_course
from assessor.database import Database
from assessor.database.acts import Act
from assessor.errors import AssessorError
from assessor.projects.claims import Status
from assessor.workflow import project_reproduce
from assessor.workflow.init import reference_course
from assessor.workflow.project_handin import collect_teams, submit_team
from assessor.workflow.project_reproduce import Reproduction, reproduce, reproductions
from assessor.workflow.project_teams import import_teams
from gpu_runner.errors import SandboxFailed
from tests.assessor.workflow.conftest import NOW, pdf

WHO: dict[str, Any] = {"author": "kim", "now": NOW}
EXAMPLES = reference_course() / "assignments/project/examples"
RULES = "[split]\nmethod = 'none'\n[reproduce.limits]\ncpu_seconds = 20\nwall_seconds = 30\nmemory_bytes = '512 MiB'\n"
REPRODUCE = """
commands = {commands}
minutes = 0.01

[[claim]]
name = "a"
where = "Table 1"
read = "a"
value = 1.0
tolerance = 0.1
"""


@pytest.fixture
def course(small: Course, database: Database, tmp_path: Path) -> Course:
    """The small course with ada, bob and eve in one team."""
    folder = small.root / "assignments" / "project"
    folder.mkdir()
    (folder / "project.toml").write_text(RULES)
    (tmp_path / "teams.csv").write_text("team,student\nt1,ada\nt1,bob\nt1,eve\n")
    import_teams(small, database, "project", tmp_path / "teams.csv", **WHO)
    return small


def packed(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def hand_in(course: Course, database: Database, files: dict[str, bytes], desk: Path) -> None:
    desk.mkdir(exist_ok=True)
    given = {"paper.pdf": pdf(1), "team.csv": b"student\nada\nbob\neve\n", "code.zip": packed(files)}
    for name, data in given.items():
        (desk / name).write_bytes(data)
    submit_team(course, database, "project", "t1", [desk / name for name in given], now=NOW)
    collect_teams(course, database, "project", now=NOW)


def run(course: Course, database: Database, desk: Path, *commands: str, seeds: int = 3, **more: bytes) -> Reproduction:
    """Hands in these commands and reproduces them."""
    text = REPRODUCE.format(commands=json.dumps(commands))
    hand_in(course, database, {"reproduce.toml": text.encode(), **more}, desk)
    return reproduce(course, database, "project", "t1", seeds=seeds, **WHO)


def example(course: Course, database: Database, desk: Path, name: str) -> dict[str, Status]:
    folder = EXAMPLES / name / "code"
    hand_in(course, database, {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}, desk)
    found = reproduce(course, database, "project", "t1", **WHO)
    assert all(run.ended_well for run in found.runs) and len(found.runs) == 5
    return {claim.claim: claim.status for claim in found.claims}


def test_the_good_team_is_reproduced(course: Course, database: Database, tmp_path: Path) -> None:
    assert set(example(course, database, tmp_path / "desk", "weight_averaging").values()) == {Status.REPRODUCED}
    found = reproductions(course, database, "project")["t1"]
    assert [point for point, there in found.flags.items() if not there] == ["evaluation code", "trained models"]


def test_an_honest_negative_result_is_reproduced_as_well(course: Course, database: Database, tmp_path: Path) -> None:
    assert set(example(course, database, tmp_path / "desk", "label_smoothing").values()) == {Status.REPRODUCED}


def test_claims_that_do_not_hold_are_found_and_the_one_that_does_is_not_touched(
    course: Course, database: Database, tmp_path: Path
) -> None:
    assert example(course, database, tmp_path / "desk", "lucky_seed") == {
        "test accuracy": Status.NOT_REPRODUCED,
        "gain over a linear model": Status.NOT_REPRODUCED,
        "a linear model is at chance": Status.REPRODUCED,
    }


def test_what_is_recorded_is_what_was_found_with_its_logs(course: Course, database: Database, tmp_path: Path) -> None:
    found = run(course, database, tmp_path / "desk", "echo training $SEED", "echo '{\"a\": 1.0'$SEED'}' > results.json")
    assert reproductions(course, database, "project") == {"t1": found}
    folder = course.root / found.folder
    names = {"report.html", *(f"{kind}" for seed in (1, 2, 3) for kind in (f"log-{seed}.txt", f"results-{seed}.json"))}
    assert {path.name for path in folder.iterdir()} == names
    assert (folder / "log-2.txt").read_text() == "training 2\n"
    assert found.claims[0].numbers == (1.01, 1.02, 1.03) and found.claims[0].status is Status.REPRODUCED


def test_every_seed_begins_afresh(course: Course, database: Database, tmp_path: Path) -> None:
    look = "test ! -e left && test ! -e /tmp/left && touch left /tmp/left"
    commands = (look, "echo '{\"a\": 1}' > results.json")
    assert all(each.ended_well for each in run(course, database, tmp_path / "desk", *commands).runs)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("python no_such.py | tee log", "command 1 of 2 ended with status 2"),
        ("exit 0", "results.json: no such file or directory"),
        ("ln -s /etc/passwd results.json", "results.json: a symbolic link"),
        ("head -c 3000000 /dev/zero > results.json", "results.json: more than 1048576 bytes"),
        ("kill -9 -1", "process ended"),
        ("python -c 'bytearray(2**30)'; true", "command 1 of 2 ended with status 1"),
    ],
)
def test_a_run_that_fails_is_the_teams_and_says_how(
    course: Course, database: Database, tmp_path: Path, command: str, words: str
) -> None:
    found = run(course, database, tmp_path / "desk", command, "true")
    assert words in found.runs[0].words or "memory exceeded" in found.runs[0].words
    assert [each.words for each in found.runs[2:]] == ["not run, after 2 that failed"]
    assert found.claims[0].status is Status.INCONCLUSIVE and "0 of 3 runs" in found.claims[0].why


@pytest.mark.parametrize("results", ['{"a": NaN}', '{"a": Infinity}', "[" * 50_000, '{"a": "1.0"}', '{"b": 1}', "{}"])
def test_a_result_that_is_no_number_reproduces_nothing(
    course: Course, database: Database, tmp_path: Path, results: str
) -> None:
    found = run(course, database, tmp_path / "desk", "cp given results.json", given=results.encode())
    assert found.claims[0].status is Status.INCONCLUSIVE and found.claims[0].numbers == (None, None, None)


def test_a_run_that_fails_for_one_seed_only_is_no_way_to_be_reproduced(
    course: Course, database: Database, tmp_path: Path
) -> None:
    found = run(course, database, tmp_path / "desk", "test $SEED != 2", "echo '{\"a\": 1.0}' > results.json", seeds=4)
    assert [each.ended_well for each in found.runs] == [True, False, True, True]
    assert found.claims[0].status is Status.INCONCLUSIVE


def test_what_takes_far_longer_than_stated_is_told(course: Course, database: Database, tmp_path: Path) -> None:
    found = run(course, database, tmp_path / "desk", "sleep 2", "echo '{\"a\": 1.0}' > results.json")
    assert found.notes == ("a run took 0.0 minutes, 0.01 were stated",)


def test_our_faults_record_nothing(
    course: Course, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise SandboxFailed("bubblewrap", "no space")

    monkeypatch.setattr(project_reproduce, "run_commands", broken)
    with pytest.raises(SandboxFailed):
        run(course, database, tmp_path / "desk", "true")
    assert reproductions(course, database, "project") == {}
    assert list((course.root / "reports/reproduction/t1").iterdir()) == []
    with database.reading() as session:
        assert session.query(Act).filter(Act.verb == "reproduction").count() == 0


def test_nothing_is_run_without_a_sandbox(course: Course, database: Database, tmp_path: Path) -> None:
    file = course.root / "course.toml"
    file.write_text(file.read_text().replace("[components]", '[environment]\nsandbox = "unconfined"\n\n[components]'))
    with pytest.raises(AssessorError, match="in a sandbox alone"):
        reproduce(load_course(course.root), database, "project", "t1", **WHO)


def test_a_team_that_handed_nothing_in_is_told_so(course: Course, database: Database) -> None:
    with pytest.raises(AssessorError, match="nothing was handed in"):
        reproduce(course, database, "project", "t1", **WHO)


def test_names_and_words_of_the_team_are_escaped_on_the_page(course: Course, database: Database, tmp_path: Path) -> None:
    text = REPRODUCE.format(commands='["true"]').replace('name = "a"', 'name = "<script>alert(1)</script>"')
    hand_in(course, database, {"reproduce.toml": text.encode()}, tmp_path / "desk")
    found = reproduce(course, database, "project", "t1", seeds=3, **WHO)
    page = (course.root / found.folder / "report.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page
