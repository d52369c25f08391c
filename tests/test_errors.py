"""Faults cross from a worker to the coordinator whole: a reason that is lost on the way would be a wrong reason."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from assessor.errors import CourseInvalid, GraderFault, ImportRefused, ReleaseLeaks, SubmissionRefused, UnknownName
from gpu_runner.cluster import WorkerEnded
from gpu_runner.errors import ChannelMisused, DeviceUnavailable, SandboxFailed, SandboxUnavailable

FAULTS = [
    SandboxUnavailable("bubblewrap", "missing", "install it"),
    SandboxFailed("bubblewrap", "no answer", "the log"),
    DeviceUnavailable("no GPU"),
    ChannelMisused("an object"),
    WorkerEnded("twice"),
    CourseInvalid(Path("course.toml"), "course.code", 3, "text"),
    ImportRefused(Path("a.csv"), 3, "mark", "x", "a number"),
    SubmissionRefused(Path("a.ipynb"), "too large"),
    ReleaseLeaks("lab", [("a", "b")]),
    UnknownName("student", "ad", ["ada"]),
    GraderFault("the reference is broken"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_fault_survives_the_way_back(fault: Exception) -> None:
    back = pickle.loads(pickle.dumps(fault))
    assert (type(back), str(back), vars(back)) == (type(fault), str(fault), vars(fault))
