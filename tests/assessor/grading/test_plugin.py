"""The plugin: verdicts, marks, seeds, messages, and nothing of the surroundings."""

from __future__ import annotations

import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from assessor.errors import GraderFault
from assessor.grading.plugin import run_tests
from assessor.grading.results import Verdict
from gpu_runner.errors import KernelDied, SandboxFailed
from gpu_runner.testing import in_process

from .conftest import Grade, write_grader

REFERENCE = "def mse(y, t): return ((y - t) ** 2).mean()\n"
MSE = """
    @pytest.mark.marks(2)
    @pytest.mark.hint("Square, then average.")
    def test_mse(student, reference, rng):
        '''The mean squared error is right.

        More for staff.
        '''
        y, t = torch.randn(8, generator=rng), torch.randn(8, generator=rng)
        assert_close_to(student.mse(y, t), reference.mse(y, t))
"""
RIGHT = "def mse(y, t): return ((y - t) ** 2).mean()"

ENDINGS = {
    "right": (RIGHT, Verdict.PASSED, ""),
    "wrong": ("def mse(y, t): return (y - t).abs().mean()", Verdict.FAILED, "times the tolerance"),
    "raises": ("def mse(y, t): raise ValueError('my words')", Verdict.RAISED, "your code raised ValueError: my words"),
    "missing": ("def MSE(y, t): return 0", Verdict.MISSING, "`mse` is not defined"),
    "nothing": ("def mse(y, t): pass", Verdict.FAILED, "None (does the function return something?)"),
    "value": ("import torch\nmse = torch.tensor(3.0)", Verdict.BAD_REPLY, "`mse` is a Tensor in your notebook"),
    "object": ("def mse(y, t): return object()", Verdict.FAILED, "a object"),
    "nan": ("def mse(y, t): return float('nan')", Verdict.FAILED, "NaN"),
    "sparse": ("import torch\ndef mse(y, t): return torch.eye(2).to_sparse()", Verdict.BAD_REPLY, "sparse"),
    "exits": ("def mse(y, t): raise SystemExit", Verdict.RAISED, "SystemExit"),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_each_way_to_end_has_its_verdict_and_message(grade_with: Grade, name: str) -> None:
    notebook, verdict, message = ENDINGS[name]
    result = grade_with(MSE, notebook, reference=REFERENCE)["test_mse"]
    assert (result.verdict, result.out_of) == (verdict, 2)
    assert result.points == (2 if verdict is Verdict.PASSED else 0)
    assert message in result.message
    assert result.title == "The mean squared error is right."
    assert result.hint == ("" if verdict is Verdict.PASSED else "Square, then average.")
    assert result.where == "trusted"


def test_a_timeout_and_a_death_cost_only_their_test(grade_with: Grade) -> None:
    tests = """
        @pytest.mark.timeout(0.5)
        def test_a(student): student.loop()
        def test_b(student): assert student.one() == 1
        def test_c(student): student.leave()
        def test_d(student): assert student.one() == 1
    """
    notebook = "import os\ndef one(): return 1\ndef loop():\n    while True: pass\ndef leave(): os._exit(3)\n"
    results = grade_with(tests, notebook, apart=True)
    assert [result.verdict for result in results.values()] == [
        Verdict.TIMED_OUT,
        Verdict.PASSED,
        Verdict.DIED,
        Verdict.DIED,  # this test's `connect` knows of no other kernel
    ]
    assert results["test_a"].message == "no answer within 0.5 s"
    assert "exit status 3" in results["test_c"].message


def test_a_kernel_that_broke_between_tests_costs_none(tmp_path: Path) -> None:
    grader = write_grader(tmp_path, "def test_a(student): assert student.one() == 1\n")
    with in_process({"one": lambda: 1}) as first, in_process({"one": lambda: 1}) as second:
        first.close()
        channels = [first, second]
        (result,) = run_tests(grader, lambda name: channels.pop(0), seed=1)
    assert result.verdict is Verdict.PASSED


REVIEWED = {
    "type error": "assert student.one() + 'a'",
    "reference": "assert reference.broken()",
    "reference asserts": "reference.asserts()",
    "misuse": "student.f(lambda: 0)",
    "skip": "pytest.skip('no')",
    "exit": "raise SystemExit",
    "none": "assert student.nothing() > 0",
}


@pytest.mark.parametrize("name", REVIEWED)
def test_what_breaks_on_our_side_goes_to_review_and_gives_no_points(grade_with: Grade, name: str) -> None:
    tests = f"""
        @pytest.mark.marks(1)
        def test_a(student, reference):
            {REVIEWED[name]}
        def test_b(student):
            assert student.one() == 1
    """
    reference = "def broken(): return 1 / 0\ndef asserts(): assert False\n"
    results = grade_with(tests, "def one(): return 1\ndef f(x): return x\ndef nothing(): pass\n", reference=reference)
    assert (results["test_a"].verdict, results["test_a"].points) == (Verdict.REVIEW, 0)
    assert "a person will look at it" in results["test_a"].message
    assert results["test_b"].verdict is Verdict.PASSED


def test_a_review_marker_sends_a_wrong_answer_to_a_person(grade_with: Grade) -> None:
    tests = "@pytest.mark.review\ndef test_a(student): assert student.x == 2\n"
    assert grade_with(tests, "x = 1")["test_a"].verdict is Verdict.REVIEW
    assert grade_with(tests, "x = 2")["test_a"].verdict is Verdict.PASSED


def test_a_student_error_where_one_is_expected_is_right(grade_with: Grade) -> None:
    tests = """
        from gpu_runner.errors import StudentCodeError
        def test_a(student):
            with pytest.raises(StudentCodeError, match="ValueError"):
                student.f(-1)
    """
    good = "def f(x):\n    if x < 0: raise ValueError('negative')\n    return x"
    assert grade_with(tests, good)["test_a"].verdict is Verdict.PASSED
    assert grade_with(tests, "def f(x): return x")["test_a"].verdict is Verdict.FAILED


def test_a_failed_assert_shows_staff_everything_and_the_student_nothing(grade_with: Grade) -> None:
    tests = "def test_a(student):\n    secret = 4711\n    assert student.f(42) == secret\n"
    result = grade_with(tests, "def f(x): return 12")["test_a"]
    assert "4711" in result.detail and "seed 1, test test_a" in result.detail
    assert not {"4711", "42"} & set(result.message.replace(".", " ").split())
    assert result.message == "the answer is wrong here"


def test_parametrised_tests_share_their_marks_to_the_last_digit(grade_with: Grade) -> None:
    tests = """
        @pytest.mark.marks(1)
        @pytest.mark.parametrize("n", range(3))
        def test_a(student, n): assert student.x != n
        @pytest.mark.marks("0.5")
        def test_b(student): pass
        def test_c(student): pass
    """
    results = grade_with(tests, "x = 1")
    shares = [str(results[f"test_a[{n}]"].out_of) for n in range(3)]
    assert shares == ["0.3333", "0.3333", "0.3334"]
    assert results["test_a[1]"].points == 0
    assert sum(result.out_of for result in results.values()) == Decimal("1.5")
    assert sum(result.points for result in results.values()) == Decimal("1.1667")


def test_repeats_are_one_test_that_must_always_pass(grade_with: Grade) -> None:
    tests = """
        @pytest.mark.marks(1)
        @pytest.mark.repeats(12)
        def test_a(student, rng): assert student.right(float(torch.rand((), generator=rng)))
        @pytest.mark.repeats(3)
        @pytest.mark.parametrize("n", [1, 2])
        def test_b(student, n, seed): assert seed
    """
    results = grade_with(tests, "def right(x): return x < 0.7")
    assert list(results) == ["test_a", "test_b[1]", "test_b[2]"]
    assert (results["test_a"].verdict, results["test_a"].out_of) == (Verdict.FAILED, 1)
    assert grade_with(tests, "def right(x): return True")["test_a"].points == 1


def test_a_dependent_failure_names_what_to_mend_first(grade_with: Grade) -> None:
    tests = """
        def test_a(student):
            '''The loss is right.'''
            assert student.x == 2
        @pytest.mark.depends("test_a")
        def test_b(student): assert student.x == 3
    """
    results = grade_with(tests, "x = 1")
    assert "This builds on “The loss is right.”" in results["test_b"].message
    assert "builds on" not in grade_with(tests, "x = 2")["test_b"].message


def test_seeds_differ_by_run_and_test_and_repeat_exactly(grade_with: Grade) -> None:
    tests = """
        def test_a(student, rng, seed, reference):
            reference.note(seed, float(torch.rand((), generator=rng)), student.draw(), float(torch.rand(())))
        def test_b(student, rng, seed, reference):
            reference.note(seed, float(torch.rand((), generator=rng)), student.draw(), float(torch.rand(())))
    """
    where: list[Any] = []
    sys.modules["noted"] = type(sys)("noted")
    sys.modules["noted"].where = where  # type: ignore[attr-defined]
    try:
        reference = "import noted\ndef note(*values): noted.where.append(values)\n"
        notebook = "import torch\ndef draw(): return float(torch.rand(()))"
        for seed in (1, 1, 2):
            grade_with(tests, notebook, reference=reference, seed=seed)
    finally:
        del sys.modules["noted"]
    first, again, other = where[:2], where[2:4], where[4:]
    assert first == again
    drawn = [number for values in (*first, *other) for number in values]
    assert len(set(drawn)) == len(drawn) == 16


def test_public_tests_alone_can_be_run(grade_with: Grade) -> None:
    tests = "@pytest.mark.public\ndef test_a(student): pass\ndef test_b(student): pass\n"
    results = grade_with(tests, "", public_only=True)
    assert list(results) == ["test_a"] and results["test_a"].public


BROKEN = {
    "syntax": ("def test_a(student:", None, "SyntaxError"),
    "import": ("import nothing_of_this_name\ndef test_a(): pass", None, "nothing_of_this_name"),
    "empty": ("x = 1", None, "no test"),
    "marker": ("@pytest.mark.points(2)\ndef test_a(): pass", None, "points"),
    "marks": ("@pytest.mark.marks('many')\ndef test_a(): pass", None, "takes a number"),
    "two marks": ("@pytest.mark.marks(1, 2)\ndef test_a(): pass", None, "one argument"),
    "depends": ("@pytest.mark.depends('test_z')\ndef test_a(): pass", None, "test_z"),
    "reference": ("def test_a(): pass", "1 / 0", "ZeroDivisionError"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_grader_that_cannot_run_is_our_fault(grade_with: Grade, name: str) -> None:
    tests, reference, message = BROKEN[name]
    with pytest.raises(GraderFault, match=message):
        grade_with(tests, "", reference=reference)


def test_two_tests_of_one_name_are_our_fault(tmp_path: Path) -> None:
    grader = write_grader(tmp_path, "def test_a(): pass\n")
    (grader / "test_other.py").write_text("def test_a(): pass\n")
    with in_process({}) as channel, pytest.raises(GraderFault, match="rename one"):
        run_tests(grader, lambda name: channel, seed=1)


def test_a_folder_without_tests_is_our_fault(tmp_path: Path) -> None:
    with in_process({}) as channel, pytest.raises(GraderFault, match=r"no test_\*\.py"):
        run_tests(tmp_path, lambda name: channel, seed=1)


def test_a_sandbox_that_cannot_be_had_again_leaves_as_our_fault(tmp_path: Path) -> None:
    def connect(name: str) -> Any:
        raise SandboxFailed("bubblewrap", "no space left")

    grader = write_grader(tmp_path, "def test_a(student): pass\ndef test_b(student): pass\n")
    with pytest.raises(SandboxFailed):
        run_tests(grader, connect, seed=1)


def test_a_kernel_that_cannot_be_had_again_is_the_students(tmp_path: Path) -> None:
    def connect(name: str) -> Any:
        raise KernelDied("memory exceeded")

    (result,) = run_tests(write_grader(tmp_path, "def test_a(student): pass\n"), connect, seed=1)
    assert (result.verdict, result.message) == (Verdict.DIED, "the notebook's process ended: memory exceeded")


def test_an_interrupt_by_the_operator_stops_the_worker(tmp_path: Path) -> None:
    def connect(name: str) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tests(write_grader(tmp_path, "def test_a(student): pass\n"), connect, seed=1)


def test_nothing_of_the_surroundings_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an ini file, a conftest, an environment variable nor an earlier grader of the same file name."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --collect-only\npython_functions = other_*\n")
    (tmp_path / "conftest.py").write_text("raise RuntimeError('read')\n")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    before = dict(os.environ), list(sys.path), set(sys.modules)
    with in_process({"x": 1}) as channel:
        for number, verdict in ((1, Verdict.PASSED), (2, Verdict.FAILED)):
            grader = write_grader(tmp_path / f"g{number}", f"def test_a(student): assert student.x == {number}\n")
            (grader / "conftest.py").write_text("raise RuntimeError('read')\n")
            (result,) = run_tests(grader, lambda name: channel, seed=1)
            assert result.verdict is verdict
    del before[0]["PYTEST_CURRENT_TEST"]
    assert before[0].items() <= os.environ.items() and before[1] == sys.path
    assert not [name for name in set(sys.modules) - before[2] if "tiny" in name or name.startswith("reference_")]


def test_a_test_that_prints_writes_nothing_of_ours(grade_with: Grade, capfd: pytest.CaptureFixture[str]) -> None:
    grade_with("def test_a(student):\n    print('secret')\n    assert student.x == 2\n", "x = 1")
    assert capfd.readouterr().out == ""


CARRIED = """
    @pytest.mark.marks(1)
    def test_square(student): assert_close_to(student.square(3.0), 9.0)
    @pytest.mark.marks(2)
    @pytest.mark.depends("test_square", instead="square")
    def test_sum(student): assert_close_to(student.sum_of_squares([1.0, 2.0]), 5.0)
    @pytest.mark.marks(1)
    def test_afterwards(student): assert_close_to(student.square(3.0), 9.0)
"""
SQUARE = "def square(x): return x * x\n"
SUM = "def sum_of_squares(values): return sum(square(x) for x in values)\n"


def test_an_error_is_carried_forward_with_the_references_function_in_its_place(grade_with: Grade) -> None:
    results = grade_with(CARRIED, "def square(x): return x + x\n" + SUM, reference=SQUARE)
    assert [result.verdict.name for result in results.values()] == ["FAILED", "PASSED", "FAILED"]
    assert results["test_sum"].message == "Tested with a right `square` in place of yours."


def test_nothing_is_carried_where_nothing_is_wrong_and_what_is_wrong_itself_still_costs(grade_with: Grade) -> None:
    right = grade_with(CARRIED, SQUARE + SUM, reference=SQUARE)
    assert [result.message for result in right.values()] == ["", "", ""]
    wrong = "def sum_of_squares(values): return 0 * square(values[0])\n"
    results = grade_with(CARRIED, "def square(x): return x + x\n" + wrong, reference=SQUARE)
    assert results["test_sum"].verdict is Verdict.FAILED


ORACLES = {
    "kept for later": "kept = []\ndef sum_of_squares(values):\n    kept.append(square)\n    return 5.0\n"
    "def square(x): return kept[-1](x) if kept else 0\n",
    "odd arguments": "def square(x): return 0\ndef sum_of_squares(values):\n    try: square(object(), sum_of_squares)\n"
    "    except RuntimeError as fault: assert 'cannot be used' in str(fault)\n    return 5.0\n",
    "endless arguments": "def square(x): return 0\ndef sum_of_squares(values):\n    try: square(10**9)\n"
    "    except RuntimeError: return 5.0\n",
    "too often": "def square(x): return 0\ndef sum_of_squares(values):\n    while True: square(1.0)\n",
    "from a thread": "import threading\ndef square(x): return 0\ndef sum_of_squares(values):\n"
    "    seen = []\n    def ask():\n        try: seen.append(square(1.0))\n        except RuntimeError: seen.append(None)\n"
    "    thread = threading.Thread(target=ask); thread.start(); thread.join()\n    assert seen == [None]\n    return 5.0\n",
}


@pytest.mark.parametrize("name", ORACLES)
def test_what_stands_in_answers_nothing_but_what_it_is_there_for(
    grade_with: Grade, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assessor.grading.plugin.STAND_IN_SECONDS", 0.3)
    reference = "def square(x):\n    if isinstance(x, int):\n        for _ in range(x): pass\n    return x * x\n"
    results = grade_with(CARRIED, ORACLES[name], reference=reference, apart=True)
    assert results["test_square"].verdict is not Verdict.PASSED
    assert results["test_afterwards"].verdict is not Verdict.PASSED
    assert results["test_sum"].verdict is (Verdict.RAISED if name == "too often" else Verdict.PASSED)


def test_carrying_forward_needs_a_reference_and_an_order(grade_with: Grade) -> None:
    results = grade_with(CARRIED, "def square(x): return 0\n" + SUM, reference="")
    assert results["test_sum"].verdict is Verdict.REVIEW
    upside_down = """
        @pytest.mark.depends("test_b", instead="f")
        def test_a(student): pass
        def test_b(student): pass
    """
    with pytest.raises(GraderFault, match="must stand before it"):
        grade_with(upside_down, "", reference="")


def test_a_claim_that_makes_a_test_loop_on_this_side_costs_no_worker(
    grade_with: Grade, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assessor.grading.plugin.BACKSTOP_SECONDS", 0.3)
    tests = """
        def test_a(student):
            for _ in range(student.steps): pass
        def test_b(student): assert student.steps > 1
    """
    results = grade_with(tests, "steps = 10**12")
    assert [result.verdict for result in results.values()] == [Verdict.REVIEW, Verdict.PASSED]
