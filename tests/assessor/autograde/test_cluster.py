"""Autograde on a real Dask cluster: the same marks as in this process."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("distributed", reason="the extra [cluster] is not installed")

import dask

from assessor.course import Course
from assessor.database import Database
from assessor.workflow.autograde import AutogradeReport, autograde
from tests.gpu_runner.cluster import running

pytestmark = pytest.mark.filterwarnings("ignore")


def told(report: AutogradeReport) -> dict[str, tuple[str, Decimal | None, str]]:
    return {row.student: (row.state, row.points, row.outcome) for row in report.rows}


def test_a_cohort_gets_the_same_marks_on_a_cluster(
    tiny_course: Course,
    database: Database,
    hand_in: Callable[..., None],
    notebook: Callable[..., nbformat.NotebookNode],
    tmp_path: Path,
) -> None:
    hand_in(ada=notebook(), bob=notebook({"square": "return 0"}), eve=notebook({"double": "import os; os._exit(1)"}))
    (tmp_path / "cluster").mkdir()
    with running(tmp_path / "cluster") as cluster:
        files = {"ca-file": cluster.ca, "client.cert": cluster.certificate, "client.key": cluster.key}
        with dask.config.set({f"distributed.comm.tls.{name}": str(path) for name, path in files.items()}):
            there = told(autograde(tiny_course, database, cluster=cluster.address))
    assert there == {
        "ada": ("recorded", Decimal(3), "completed"),
        "bob": ("recorded", Decimal(1), "completed"),
        "eve": ("recorded", Decimal(2), "completed"),
    }
    hand_in(zoe=notebook(), yan=notebook({"square": "return 0"}), xia=notebook({"double": "import os; os._exit(1)"}))
    here = told(autograde(tiny_course, database, workers=0))
    assert sorted(map(str, here.values())) == sorted(map(str, there.values()))
