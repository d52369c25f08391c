"""What a team hands in: a paper, the team's list, the signed split, and the code with its reproduce.toml. Read and checked."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from assessor.course import Assignment, Attachment
from assessor.csvfile import read_csv
from assessor.errors import CourseInvalid, ImportRefused, SubmissionRefused
from assessor.projects.claims import FILE, Reproduce, read_reproduce
from assessor.projects.settings import Project
from assessor.projects.teams import read_signed

PAPER, TEAM, SPLIT = "paper.pdf", "team.csv", "split.csv"
ARCHIVE, BUNDLE = "code.zip", "code.bundle"
PLANS = ("plan.md", "plan.txt")
CHECKLIST = (
    ("dependencies", re.compile(r"requirements.*\.txt|pyproject\.toml|environment\.ya?ml|setup\.(py|cfg)|Pipfile|uv\.lock")),
    ("training code", re.compile(r".*(train|fit|run|main|experiment).*\.(py|ipynb|sh)")),
    ("evaluation code", re.compile(r".*(eval|test|measure|results?|run|main|experiment).*\.(py|ipynb|sh)")),
    ("trained models", re.compile(r".*\.(pth?|safetensors|ckpt|npz|onnx|h5)")),
    ("README", re.compile(r"readme(\.md|\.txt|\.rst)?", re.IGNORECASE)),
)
"""The five points of the ML code completeness checklist, as far as the names of files show them."""
WORD = re.compile(r"\w+(?:['’-]\w+)*")


@dataclass(frozen=True)
class Code:
    """The code of a hand-in.

    Attributes:
        archive: the file that holds it; data: its bytes.
        paths: its files, below the one folder that holds everything, if one does.
        reproduce: the bytes of its reproduce.toml; None where it has none.
        readme: the README's text.
    """

    archive: str
    data: bytes
    paths: tuple[str, ...]
    reproduce: bytes | None
    readme: str = ""


def code_of(archive: str, data: bytes, found: Mapping[str, bytes]) -> Code:
    """The code in an archive whose files are `found`."""
    tops = {path.split("/")[0] for path in found if not path.startswith(".")}
    visible = [path for path in found if not path.startswith(".")]
    inside = f"{next(iter(tops))}/" if len(tops) == 1 and all("/" in path for path in visible) else ""
    files = {path.removeprefix(inside): content for path, content in found.items() if path.startswith(inside)}
    readme = next((content for path, content in files.items() if CHECKLIST[-1][1].fullmatch(path)), b"")
    return Code(archive, data, tuple(sorted(files)), files.get(FILE), readme.decode("utf-8", "replace"))


def checklist(code: Code, reproduce: Reproduce | None) -> dict[str, bool]:
    """Which points of the checklist the code shows. Flags for the marker: a name proves nothing, and nor does its lack."""
    names = [path.rsplit("/", 1)[-1] for path in code.paths]
    flags = {point: any(pattern.fullmatch(name) for name in names) for point, pattern in CHECKLIST}
    flags["results table in the README"] = re.search(r"^\s*\|.*\d.*\|", code.readme, re.MULTILINE) is not None
    flags["precise commands"] = reproduce is not None
    return flags


def asked_for(project: Project) -> Assignment:
    """The assignment with a rule for each file that a team hands in."""
    paper = Attachment(
        pattern=PAPER, required=True, max_bytes=project.rules.paper.max_bytes, max_pages=project.rules.paper.max_pages
    )
    rules = [paper, Attachment(pattern=TEAM, required=True)]
    if project.rules.split.method == "signed":
        rules.append(Attachment(pattern=SPLIT, required=True))
    rules += [Attachment(pattern=ARCHIVE), Attachment(pattern=BUNDLE)]
    return replace(project.assignment, attachments=tuple(rules))


def check_words(project: Project, name: str, data: bytes) -> int:
    """The words of a plan.

    Raises:
        SubmissionRefused: it is no text, empty, or longer than allowed.
    """
    most = project.rules.plan.max_words if project.rules.plan else 0
    try:
        words = len(WORD.findall(data.decode("utf-8-sig")))
    except UnicodeDecodeError:
        raise SubmissionRefused(name, "not UTF-8 text; write the plan as plain text or Markdown") from None
    if not 0 < words <= most:
        raise SubmissionRefused(name, f"{words} words, at most {most}" if words else "there is no word in it")
    return words


def check_tables(files: Mapping[str, bytes], members: tuple[str, ...]) -> str:
    """Reads the team's list and its signed split; what the team should know, or ''.

    Raises:
        SubmissionRefused: one of them is wrong.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name in (TEAM, SPLIT):
            if name in files:
                (Path(folder) / name).write_bytes(files[name])
        try:
            listed = {row.text("student") for row in read_csv(Path(folder, TEAM), ["student"], ["name"])}
            unsigned = read_signed(Path(folder, SPLIT), members)[1] if SPLIT in files else ()
        except ImportRefused as fault:
            place = f"row {fault.row}, column {fault.column!r}: " if fault.row else ""
            raise SubmissionRefused(Path(fault.file).name, f"{place}found {fault.found!r}; expected {fault.expected}") from None
    if listed != set(members):
        strange, missing = sorted(listed - set(members)), sorted(set(members) - listed)
        faults = [f"{', '.join(strange)} not of this team"] if strange else []
        faults += [f"{', '.join(missing)} missing"] if missing else []
        advice = f"the team is {', '.join(members)}; the module leader can change that"
        raise SubmissionRefused(TEAM, f"{'; '.join(faults)}; {advice}")
    return f"{SPLIT} is not signed by {', '.join(unsigned)}: no marks until the split is agreed" if unsigned else ""


def the_archive(files: Mapping[str, bytes]) -> str:
    """Which file holds the code.

    Raises:
        SubmissionRefused: none does, or two.
    """
    there = [name for name in (ARCHIVE, BUNDLE) if name in files]
    if len(there) != 1:
        found = "both are there" if there else "neither is there"
        raise SubmissionRefused(ARCHIVE, f"{found}; hand in {ARCHIVE} or {BUNDLE} (git bundle create {BUNDLE} HEAD)")
    return there[0]


def check_reproduce(code: Code) -> Reproduce:
    """Reads the code's reproduce.toml.

    Raises:
        SubmissionRefused: there is none, or it is wrong.
    """
    if code.reproduce is None:
        raise SubmissionRefused(code.archive, f"{FILE} is missing at its top: it says what to run and what you claim")
    try:
        return read_reproduce(code.reproduce)
    except CourseInvalid as fault:
        reason = f"{fault.key}: found {fault.found!r}; allowed: {fault.allowed}"
        raise SubmissionRefused(f"{code.archive}: {FILE}", reason) from None
