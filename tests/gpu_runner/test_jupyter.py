"""Jupyter's door: unchanged tools run their notebooks in the sandbox by naming the kernel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from gpu_runner.kernelspec import NAME, install_kernelspec

BIN = Path(sys.executable).parent
SOURCE = """import os, socket, torch
print(socket.gethostname(), os.getuid(), os.path.exists('/etc/shadow'), torch.ones(2).sum().item())"""
PRINTED = "sandbox 1000 False 2.0\n"


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The kernelspec in an environment of its own, which the tools are told of."""
    prefix = tmp_path_factory.mktemp("prefix")
    install_kernelspec(str(prefix))
    os.environ["JUPYTER_PATH"] = str(prefix / "share/jupyter")
    yield
    del os.environ["JUPYTER_PATH"]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "in.ipynb"
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=[new_code_cell(SOURCE)], metadata=metadata), path)
    (tmp_path / "marks.txt").write_text("secret")
    return path


def run(*command: object, cwd: Path) -> None:
    path = f"{BIN}:{os.environ['PATH']}"
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def printed(path: Path) -> str:
    return "".join(json.loads(path.read_text())["cells"][0]["outputs"][0]["text"])


def test_the_kernelspec_is_installed_where_it_is_told(tmp_path: Path) -> None:
    folder = install_kernelspec(str(tmp_path))
    assert install_kernelspec(str(tmp_path)) == folder, "again is no fault"
    spec = json.loads((folder / "kernel.json").read_text())
    assert spec["metadata"]["kernel_provisioner"]["provisioner_name"] == "assessor-sandbox"
    assert folder == tmp_path / "share/jupyter/kernels" / NAME


def test_nbconvert(written: Path) -> None:
    run(BIN / "jupyter", "nbconvert", "--to", "notebook", "--execute", f"--ExecutePreprocessor.kernel_name={NAME}",
        "--output", "out.ipynb", written, cwd=written.parent)  # fmt: skip
    assert printed(written.with_name("out.ipynb")) == PRINTED


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_nbclient(written: Path) -> None:
    notebook = nbformat.read(written, as_version=4)
    NotebookClient(notebook, kernel_name=NAME, timeout=60, resources={"metadata": {"path": str(written.parent)}}).execute()
    assert notebook.cells[0].outputs[0].text == PRINTED


def test_papermill(written: Path) -> None:
    run(BIN / "papermill", "--kernel", NAME, "--no-progress-bar", written, "out.ipynb", cwd=written.parent)
    assert printed(written.with_name("out.ipynb")) == PRINTED


CELL = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
ANSWER = "def where():\n    ### BEGIN SOLUTION\n    import socket\n    return socket.gethostname()\n    ### END SOLUTION"


def test_nbgrader_autograde(tmp_path: Path) -> None:
    """nbgrader's own autograde: a test that only passes in the sandbox earns its points."""
    root = tmp_path / "course"
    (root / "source/ps1").mkdir(parents=True)
    answer = {**CELL, "grade_id": "where", "solution": True}
    test = {**CELL, "grade_id": "t", "grade": True, "locked": True, "points": 1}
    cells = [
        new_code_cell(ANSWER, metadata={"nbgrader": answer}),
        new_code_cell("assert where() == 'sandbox'", metadata={"nbgrader": test}),
    ]
    nbformat.write(new_notebook(cells=cells), root / "source/ps1/p.ipynb")
    (root / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'c'\n")
    run(BIN / "nbgrader", "generate_assignment", "ps1", "--force", cwd=root)
    (root / "submitted/ada").mkdir(parents=True)
    shutil.copytree(root / "source/ps1", root / "submitted/ada/ps1")
    run(BIN / "nbgrader", "autograde", "ps1", f"--Execute.kernel_name={NAME}", cwd=root)
    graded = nbformat.read(root / "autograded/ada/ps1/p.ipynb", as_version=4)
    assert not [output for cell in graded.cells for output in cell.get("outputs", []) if output.output_type == "error"]
    query = "\n".join([
        "from nbgrader.api import Gradebook",
        "print(Gradebook('sqlite:///gradebook.db').find_submission('ps1', 'ada').score)",
    ])  # fmt: skip
    path = f"{BIN}:{os.environ['PATH']}"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", query], cwd=root, env={**os.environ, "PATH": path},
                          capture_output=True, text=True)  # fmt: skip
    assert done.stdout.strip() == "1.0", done.stderr
