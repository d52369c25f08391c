"""Authors' own runs: the source as it is, and with functions, cells and variables replaced."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from assessor.errors import GraderFault
from assessor.grading.local import grade_source
from assessor.grading.results import Verdict

from .conftest import write_grader

CELLS = {
    "imports": "%matplotlib inline\nimport matplotlib\nimport torch\nfrom pathlib import Path",
    "data": "scale = 3\nhere = Path('data.txt').read_text()",
    "work": "def double(x):\n    return 2 * x\n\n@torch.no_grad()\ndef triple(x):\n    return scale * x\n\n"
    "class A:\n    b = 1",
    "check": "assert double(1) == 2\nassert False, 'a visible check may fail'",
    "after": "%%time\nnothing",
    "last": "%%time\nlate = double(5)",
    "shell": "%%bash\nexit 1",
}
TESTS = """
    @pytest.mark.marks(1)
    def test_double(student): assert_close_to(student.double(4), 8)
    @pytest.mark.marks(1)
    def test_triple(student): assert_close_to(student.triple(4), 12)
    @pytest.mark.marks(1)
    @pytest.mark.depends("test_double")
    def test_rest(student): assert student.late == 10 and student.here == 'x' and student.A.b == 1
"""


@pytest.fixture
def lab(tmp_path: Path) -> tuple[Path, Path]:
    cells = [new_code_cell(text, metadata={"nbgrader": {"grade_id": name}}) for name, text in CELLS.items()]
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "data.txt").write_text("x")
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Lab"), *cells]), folder / "lab.ipynb")
    return folder / "lab.ipynb", write_grader(tmp_path / "grader", TESTS)


REPLACEMENTS = [
    ({}, [1, 1, 1]),
    ({"double": "def double(x):\n    return x + x"}, [1, 1, 1]),
    ({"double": "def double(x):\n    return x"}, [0, 1, 0]),
    ({"triple": "triple = lambda x: x"}, [1, 0, 1]),
    ({"scale": "scale = 4"}, [1, 0, 1]),
    ({"work": "def double(x): return 2 * x"}, [1, 0, 0]),
    ({"A": "", "double": "def double(x): raise ValueError"}, [0, 1, 0]),
    ({"last": "1 / 0"}, [1, 1, 0]),
]


@pytest.mark.parametrize(("replacements", "points"), REPLACEMENTS, ids=range(len(REPLACEMENTS)))
def test_replacements_change_just_what_they_name(
    lab: tuple[Path, Path], replacements: dict[str, str], points: list[int]
) -> None:
    results = grade_source(*lab, replacements)
    assert [result.points for result in results] == [Decimal(point) for point in points]


@pytest.mark.parametrize(("only", "run"), [("triple", "triple"), ("rest", "double rest"), ("rest triple", "double triple rest")])
def test_only_the_tests_that_are_named_run_and_what_they_build_on(lab: tuple[Path, Path], only: str, run: str) -> None:
    results = grade_source(*lab, only=[f"test_{name}" for name in only.split()])
    assert [result.name for result in results] == [f"test_{name}" for name in run.split()]


def test_cells_that_only_show_something_can_be_left_out(tmp_path: Path) -> None:
    names = ("check-late", "plot-late", "followup-code", "checked")
    cells = [new_code_cell(f"seen = globals().get('seen', 0) + {10**n}", metadata={"nbgrader": {"grade_id": name}})
             for n, name in enumerate(names)]  # fmt: skip
    nbformat.write(new_notebook(cells=cells), tmp_path / "lab.ipynb")
    grader = write_grader(tmp_path / "grader", "def test_seen(student): assert_close_to(student.seen, 1000)")
    assert [result.verdict for result in grade_source(tmp_path / "lab.ipynb", grader)] == [Verdict.FAILED]
    assert [result.verdict for result in grade_source(tmp_path / "lab.ipynb", grader, shown=False)] == [Verdict.PASSED]


def test_a_replacement_of_nothing_is_refused(lab: tuple[Path, Path]) -> None:
    with pytest.raises(GraderFault, match="'treble'"):
        grade_source(*lab, {"treble": "def treble(x): return x"})
