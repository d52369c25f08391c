"""What a worker gets: everything to grade one submission, nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path

from assessor.course import Assignment, Course
from assessor.grading.results import Bundle
from assessor.grading.seeds import derive_seed

SUBMISSION_RECORD = "submission.json"
"""Our own record beside the student's files; never part of the hand-in."""


def grader_sha256(assignment: Assignment) -> str:
    """Names the version of an assignment's hidden side and source: a mark says by which version it was given."""
    digest = hashlib.sha256()
    for side, folder in ((b"grader", assignment.grader), (b"source", assignment.source)):
        digest.update(side + b"\0")  # the same file hidden and given are two versions
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def make_bundle(
    course: Course, assignment: Assignment, submission_id: int, student: str, folder: Path, secret: bytes
) -> Bundle:
    """Reads a collected submission into a bundle.

    Raises:
        OSError: ours; the collected files are gone or cannot be read.
    """
    files = {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != SUBMISSION_RECORD
    }
    return Bundle(
        submission_id=submission_id,
        assignment=assignment.name,
        notebooks={name: files[name] for name in files if name in assignment.notebooks},
        attachments={name: files[name] for name in files if name not in assignment.notebooks},
        source=assignment.source,
        grader=assignment.grader,
        limits=assignment.limits,
        seed=derive_seed(secret, student, assignment.name),
        backend=course.environment.sandbox,
        python=course.environment.python,
        grader_sha256=grader_sha256(assignment),
        gpu=assignment.gpu,
        gpu_share=course.environment.gpu_share,
    )
