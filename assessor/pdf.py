"""What a handed-in PDF is: pages and their size, read in a process of its own that has little time and memory.

A PDF is a stranger's file, and a parser can be led round in circles. So the reading is done by `python -m assessor.pdf`, under
rlimits; what kills it is the file's fault.
"""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
from dataclasses import dataclass

CPU_SECONDS, WALL_SECONDS = 10, 30
MEMORY_BYTES = 2**30
MAX_PAGES = 500
POINT = 25.4 / 72
"""Millimetres of a point."""
A4 = (210.0, 297.0)
ROOM = 7.0
"""Millimetres that a page may be larger: the width of US Letter."""


@dataclass(frozen=True)
class Pdf:
    """Sizes of the pages in millimetres (short side, long side), or why the file cannot be read."""

    pages: tuple[tuple[float, float], ...] = ()
    fault: str = ""

    def exceeds(self, max_pages: int) -> str:
        """Why this is more than so many A4 pages; '' when it is not."""
        if self.fault:
            return f"not a PDF that can be read: {self.fault}; export it again"
        if len(self.pages) > max_pages:
            return f"{len(self.pages)} pages, at most {max_pages}: leave out what is not asked for"
        for number, (short, long) in enumerate(self.pages, 1):
            if short > A4[0] + ROOM or long > A4[1] + ROOM:
                return f"page {number} is {short:.0f} x {long:.0f} mm, at most A4 (210 x 297 mm): export it as A4"
        return ""


def read_pdf(data: bytes) -> Pdf:
    """Reads what a PDF holds.

    Raises:
        OSError: ours; no process could be started.
    """
    if not data[:1024].lstrip().startswith(b"%PDF-"):
        return Pdf(fault="it does not begin as a PDF does")
    command = [sys.executable, "-I", "-m", __name__]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=WALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return Pdf(fault="reading it takes too long")
    if done.returncode != 0:
        return Pdf(fault="reading it takes too much time or memory")
    found = json.loads(done.stdout)
    return Pdf(tuple((short, long) for short, long in found["pages"]), found["fault"])


def _sizes(data: bytes) -> list[tuple[float, float]]:
    # the parser is this process's only purpose, so it is imported here
    from pypdf import PdfReader

    pages = PdfReader(io.BytesIO(data)).pages
    if not 0 < len(pages) <= MAX_PAGES:
        raise ValueError(f"{len(pages)} pages")
    sizes = []
    for page in pages:
        box = page.cropbox
        scale = POINT * float(page.get("/UserUnit", 1))
        short, long = sorted((abs(float(box.width)) * scale, abs(float(box.height)) * scale))
        sizes.append((short, long))
    return sizes


def main() -> None:
    """Reads a PDF from standard input and prints JSON: pages, fault."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    data = sys.stdin.buffer.read()
    found: dict[str, object] = {"pages": [], "fault": ""}
    try:
        found["pages"] = _sizes(data)
    except MemoryError:
        raise
    except Exception as fault:  # noqa: BLE001 - whatever the parser makes of a stranger's file is the file's fault
        found["fault"] = f"{type(fault).__name__}: {fault}"[:200]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
