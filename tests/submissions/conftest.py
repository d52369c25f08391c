"""The suite's course, its workers, and hostile submissions through two of them while one grades honest ones."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import cycle, zip_longest
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat import NotebookNode

from assessor.grading.grade import grade
from assessor.grading.results import Bundle, Grading
from gpu_runner.execution import MIB, Limits
from gpu_runner.executor import make_executor

from .host import Baits, Left, adopt_orphans, end_orphans, look, settled
from .percent import Hostile, read_hostile, source_notebook, submission

HERE = Path(__file__).parent
HOSTILE = sorted((HERE / "hostile").glob("*.py"))
NOTEBOOK = "lab.ipynb"
FULL_MARKS = 8
LIMITS = Limits(
    cell_cpu_seconds=1, cpu_seconds=5, cell_wall_seconds=8, wall_seconds=20, memory_bytes=1024 * MIB, processes=64,
    open_files=256, file_bytes=16 * MIB, disk_bytes=32 * MIB, output_bytes=MIB, message_bytes=16 * MIB,
)  # fmt: skip
PATIENT = replace(LIMITS, cell_wall_seconds=120, wall_seconds=600)
"""Of the honest: what its neighbour does to the machine's load may not cost it a mark."""


@dataclass(frozen=True)
class Course:
    """Where everything lies, and what is bait."""

    root: Path
    source: Path
    grader: Path
    temporary: Path
    notebook: NotebookNode
    baits: Baits
    places: dict[str, str]

    def hostile(self, path: Path) -> Hostile:
        """A file of hostile/ with this course's places in it."""
        return read_hostile(path, self.places)

    def bundle(self, hostile: Hostile | None, backend: str = "bubblewrap") -> Bundle:
        """A submission for a worker; the honest one for None."""
        limits, data, files = PATIENT, nbformat.writes(self.notebook).encode(), dict[str, bytes]()
        if hostile is not None:
            cold = {} if backend == "bubblewrap" else {"cpu_seconds": 60.0, "wall_seconds": 120.0}  # which imports torch first
            limits = replace(LIMITS, **{**hostile.limits, **cold})
            data, files = submission(hostile, self.notebook)
        return Bundle(1, "lab", {NOTEBOOK: data}, files, self.source, self.grader, limits, seed=41, backend=backend)


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    """A course directory with one assignment, and baits in it, in the home directory and in /tmp."""
    root = tmp_path_factory.mktemp("course")
    source, grader, temporary = root / "assignments" / "lab", root / "graders" / "lab", root / "temporary"
    for folder in (source / "data", grader, temporary):
        folder.mkdir(parents=True)
    notebook = source_notebook(HERE / "lab" / "notebook.py")
    nbformat.write(notebook, source / NOTEBOOK)
    (source / "assignment.toml").write_text(f'title = "Lab"\nnotebooks = ["{NOTEBOOK}"]\n')
    (source / "data" / "points.csv").write_text("1,2\n")
    baits = _lay_baits(root)
    (grader / "test_lab.py").write_text((HERE / "lab" / "hidden_tests.py").read_text())
    reference = (HERE / "lab" / "reference.py").read_text()
    (grader / "reference.py").write_text(reference.replace("@CANARY@", baits.word))
    places = {
        "COURSE": str(root), "HOME": str(Path.home()), "REPOSITORY": str(HERE.parents[1]), "TESTER": str(os.getpid()),
        "PORT": str(baits.sockets[0].getsockname()[1]), "UDP": str(baits.sockets[1].getsockname()[1]),
        "ABSTRACT": _abstract_name(), "SOCKET": str(root / "listening"),
        "BAIT_IN_TMP": next(str(path) for path in baits.files if path.parent == Path("/tmp")),
    }  # fmt: skip
    yield Course(root, source, grader, temporary, notebook, baits, places)
    assert baits.take_up() == [], "baits were changed"
    shutil.rmtree(root)


def _abstract_name() -> str:
    return f"assessor-bait-{os.getpid()}"


def _lay_baits(root: Path) -> Baits:
    sockets = [
        socket.create_server(("127.0.0.1", 0)),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        socket.socket(socket.AF_UNIX),
        socket.socket(socket.AF_UNIX),
    ]
    sockets[1].bind(("127.0.0.1", 0))
    sockets[2].bind("\0" + _abstract_name())
    sockets[3].bind(str(root / "listening"))
    for sock in sockets[2:]:
        sock.listen()
    for sock in sockets:
        sock.setblocking(False)
    baits = Baits(f"canary-{secrets.token_hex(12)}", sockets=tuple(sockets))
    for place in (
        "assessor.db", "gradebook.db", "course.toml", ".secret", "submitted/ann/lab/1/lab.ipynb", "graders/lab/solutions.py",
        "graders/lab/calibration.json", "autograded/ann/lab/1/lab.ipynb", "quizzes/bank.toml",
    ):  # fmt: skip
        baits.lay(root / place)
    baits.lay(Path.home() / f".assessor-bait-{os.getpid()}")
    baits.lay(Path(f"/tmp/assessor-bait-{os.getpid()}"))
    return baits


@dataclass
class Lane:
    """One worker process, as the coordinator has them."""

    executor: Executor
    course: Course

    def start(self, hostile: Hostile | None, backend: str = "bubblewrap") -> Future[Grading]:
        """Grades a submission; the honest one for None."""
        return self.executor.submit(grade, self.course.bundle(hostile, backend))

    def mend(self) -> None:
        """A new worker where the last one was lost."""
        try:
            self.executor.submit(os.getpid).result()
        except BrokenProcessPool:
            self.executor.shutdown()
            self.executor = make_executor(1)
            self.start(None).result()


@dataclass(frozen=True)
class Seen:
    """One hostile submission and all that was seen beside it."""

    hostile: Hostile
    grading: Grading | BaseException
    honest: tuple[Grading, ...]
    before: Left
    after: Left
    baits: list[str]
    beside: tuple[str, ...]


@pytest.fixture(scope="session")
def lanes(course: Course) -> Iterator[list[Lane]]:
    """Three workers, warm, whose secrets are in their environment and whose temporary files have a place of their own."""
    adopt_orphans()
    kept = {name: os.environ.get(name) for name in ("TMPDIR", "ASSESSOR_SECRET")}
    os.environ.update(TMPDIR=str(course.temporary), ASSESSOR_SECRET=course.baits.word)
    lanes = [Lane(make_executor(1), course) for _ in range(3)]
    try:
        for future in [lane.start(None) for lane in lanes]:
            assert future.result().points == FULL_MARKS
        yield lanes
    finally:
        for lane in lanes:
            lane.executor.shutdown()
        for name, value in kept.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


class Trials:
    """Grades hostile submissions in pairs, while a third worker grades honest ones; the workers change places each time.

    So an honest submission is graded beside every hostile one, and every worker that a hostile one has been in grades an
    honest one soon after. A pair is one of the first half of those that were selected and one of the second, which are of
    different kinds.
    """

    def __init__(self, course: Course, lanes: list[Lane], selected: list[Path]) -> None:
        self._course, self._lanes, self._seen = course, lanes, dict[Path, Seen]()
        half = (len(selected) + 1) // 2
        self._pairs = list(zip_longest(selected[:half], selected[half:]))
        self._watched = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"), Path.home(), Path.cwd(), course.root, Path("/"))

    def of(self, path: Path) -> Seen:
        """What was seen of this one; runs it where that is not yet so."""
        if path not in self._seen:
            pair = next((pair for pair in self._pairs if path in pair), (path,))
            paths = [one for one in pair if one is not None]
            self._seen.update(zip(paths, self._run(paths), strict=True))
        return self._seen[path]

    def apart(self, paths: list[Path], backend: str) -> list[Seen]:
        """In sandboxes of another kind, beside honest ones in the default kind."""
        return self._run(paths, backend)

    def _run(self, paths: list[Path], backend: str = "bubblewrap") -> list[Seen]:
        for lane in self._lanes:
            lane.mend()
        before = look(self._course.temporary, self._watched)
        known = {process.pid for process in psutil.Process().children()}
        self._lanes.append(self._lanes.pop(0))
        *busy, calm = self._lanes
        hostile = [self._course.hostile(path) for path in paths]
        attacks = [lane.start(one, backend) for lane, one in zip(cycle(busy), hostile)]
        honest = [calm.start(None).result()]
        if not all(attack.done() for attack in attacks):
            honest.append(calm.start(None).result())
        wait(attacks)
        after = settled(before, self._course.temporary, self._watched)
        end_orphans(known)
        baits, names = self._course.baits.disturbed(), tuple(path.stem for path in paths)
        gradings = [attack.exception() or attack.result() for attack in attacks]
        return [
            Seen(one, grading, tuple(honest), before, after, baits, names)
            for one, grading in zip(hostile, gradings, strict=True)
        ]


@pytest.fixture(scope="session")
def trials(course: Course, lanes: list[Lane], request: pytest.FixtureRequest) -> Trials:
    """All that were selected, ready to be run."""
    given = [getattr(item, "callspec", None) for item in request.session.items]
    paths = [one.params.get("path") for one in given if one is not None]
    return Trials(course, lanes, [path for path in paths if path in HOSTILE])
