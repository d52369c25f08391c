"""Makes the pictures of the README: plays the demo and photographs its table and its mark sheet with Chromium.

    .venv/bin/python docs/screenshots.py        # needs Debian's chromium
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from assessor.workflow.demo.play import play
from assessor.workflow.demo.show import WIDE, show

DOCS = Path(__file__).parent


def photograph(page: Path, picture: Path, width: int, height: int) -> None:
    """Takes a picture of a page, of the given size in pixels."""
    chromium = shutil.which("chromium") or sys.exit("chromium is missing: apt-get install chromium")
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        f"--window-size={width},{height}", f"--screenshot={picture}", page.as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    print(picture)


def main() -> None:
    """Plays, prints, photographs."""
    with tempfile.TemporaryDirectory() as scratch:
        result = play(Path(scratch) / "demo-course", workers=None, say=print)
        with (Path(scratch) / "void").open("w") as void:
            console = Console(width=WIDE, record=True, file=void, force_terminal=True)
            show(result, console)
        page = Path(scratch) / "demo.html"
        console.save_html(str(page), theme=MONOKAI)
        page.write_text(page.read_text().replace(f"{scratch}/", ""))
        photograph(page, DOCS / "demo.png", 1460, 800)
        sheet = next(path for path in result.written if path.suffix == ".html")
        photograph(sheet, DOCS / "marksheet.png", 1250, 900)


if __name__ == "__main__":
    main()
