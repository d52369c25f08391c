from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from gpu_runner.environment import _hidden, _outermost, python_environment
from gpu_runner.errors import SandboxFailed, SandboxUnavailable
from gpu_runner.execution import CellStatus, Limits
from gpu_runner.notebook import open_kernel
from gpu_runner.sandbox import BACKENDS, bubblewrap, check_backend, get_sandbox
from gpu_runner.sandbox.bubblewrap import Bubblewrap
from gpu_runner.sandbox.contract import Launch
from gpu_runner.sandbox.limits import ProcessTree, best_meter


def test_a_backend_is_found_by_name_and_an_unknown_one_says_which_there_are() -> None:
    assert isinstance(get_sandbox("bubblewrap"), Bubblewrap)
    with pytest.raises(SandboxUnavailable, match="bubblewrap, podman, docker, gvisor, unconfined"):
        get_sandbox("no-such-backend")


@pytest.mark.parametrize("name", BACKENDS)
def test_each_says_how_it_enforces_limits(name: str) -> None:
    described = get_sandbox(name).describe(Limits())
    json.dumps(described)
    assert described["backend"] == name
    assert described["enforced_by"]


def test_doctor_hears_of_the_sandbox_and_of_the_limits_in_force() -> None:
    checks = check_backend("bubblewrap")
    assert [check.ok for check in checks] == [True, True]
    assert checks[0].detail.startswith("bubblewrap ")
    assert "cgroup" in checks[1].detail or "watchdog" in checks[1].detail


def test_a_missing_program_is_said_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bubblewrap, "_worked", False)
    monkeypatch.setattr(bubblewrap, "PROGRAMS", ("no-such-bwrap",))
    with pytest.raises(SandboxUnavailable, match="no-such-bwrap is missing; apt-get install bubblewrap"):
        Bubblewrap().start(Launch(("true",), python_environment(), Limits()))
    assert not check_backend("bubblewrap")[0].ok


def test_a_program_that_does_not_start_leaves_its_words_and_nothing_else() -> None:
    process = Bubblewrap().start(Launch(("/usr/bin/no-such-program",), python_environment(), Limits()))
    assert process.wait(20) == 1
    process.close()
    assert "no-such-program" in process.output()


def test_unconfined_is_never_the_default_and_doctor_does_not_like_it() -> None:
    defaults = open_kernel.__wrapped__.__kwdefaults__  # type: ignore[attr-defined]
    assert defaults["backend"] == "bubblewrap"
    (check,) = check_backend("unconfined")
    assert not check.ok


def test_unconfined_runs_labels_its_results_and_leaves_nothing(notebook: Callable[..., Any]) -> None:
    daemon = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(600)\n    os._exit(0)"
    source = "print(open('data/a').read(), os.getcwd())"
    with open_kernel(Limits(), backend="unconfined", files={"data/a": b"here"}) as kernel:
        execution = kernel.run(notebook(daemon, source))
        inside = [p for p in psutil.process_iter(["environ"]) if "unconfined-" in (p.info["environ"] or {}).get("HOME", "")]
        folder = json.loads(execution.notebook)["cells"][1]["outputs"][0]["text"][0].split()[1]
        assert kernel.serve().names()
    assert [cell.status for cell in execution.cells] == [CellStatus.OK, CellStatus.OK]
    assert execution.manifest["sandbox"]["confined"] is False
    assert len(inside) >= 1
    _, alive = psutil.wait_procs(inside, timeout=10)
    assert alive == [] or best_meter() is ProcessTree  # without a cgroup a daemon may slip away
    assert not Path(folder).exists()


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/../../b", "", "a\0b"])
def test_a_file_name_that_leads_out_is_refused(name: str) -> None:
    with pytest.raises(SandboxFailed, match="may not be called"):
        Launch(("true",), python_environment(), Limits(), files={name: b""})


def test_more_files_than_descriptors_are_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap.resource, "getrlimit", lambda kind: (300, 300))
    with pytest.raises(SandboxFailed, match="pack them in an archive"):
        bubblewrap._check_room(100)


def test_only_the_outermost_folders_of_an_environment_are_shown(tmp_path: Path) -> None:
    (tmp_path / "env" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "env")
    folders = [tmp_path / "env", tmp_path / "env" / "inner", Path("/usr/lib"), tmp_path / "link"]
    assert _outermost(folders) == (tmp_path / "env", tmp_path / "link")


def test_what_a_student_must_not_see_is_hidden_by_any_spelling(tmp_path: Path) -> None:
    names = ["nbgrader", "NBGrader-0.9.dist-info", "__editable___assessor_0_1_0_finder.py", "torch", "gpu_runner"]
    for name in names:
        (tmp_path / name).mkdir()
    assert {path.name for path in _hidden(tmp_path)} == set(names) - {"torch"}
