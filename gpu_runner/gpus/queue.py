"""Who waits for a device: first come, first served, across processes.

Each waiter holds flock on a ticket, a file whose number only grows. The waiter with the lowest ticket that anybody still
holds may try; a ticket that nobody holds is a dead waiter's, and whoever is behind it removes it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from gpu_runner.gpus.ledger import Ledger, is_held, lock, unlock


class Ticket:
    """A place in the queue. Made by `draw`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self._descriptor = path, descriptor

    def ahead(self) -> list[str]:
        """The labels of the living waiters before this one, the next in turn first."""
        living = []
        for path in sorted(self.path.parent.iterdir()):
            if path.name >= self.path.name:
                break
            if is_held(path):
                living.append(_label(path))
            else:
                path.unlink(missing_ok=True)
        return living

    def give_back(self) -> None:
        """Leaves the queue."""
        self.path.unlink(missing_ok=True)
        unlock(self._descriptor)


def draw(ledger: Ledger, label: str) -> Ticket:
    """Joins the queue at its end.

    Args:
        label: what the others are told about who waits.
    """
    with ledger.mutex():  # nobody sees the ticket before it is held
        counter = ledger.folder / "sequence"
        text = counter.read_text() if counter.exists() else ""
        number = (int(text) if text.isdecimal() else _last(ledger.folder / "queue")) + 1
        counter.write_text(str(number))
        path = ledger.folder / "queue" / f"{number:020d}"
        while (descriptor := lock(path)) is None:
            time.sleep(0.001)  # somebody lists who waits
        os.write(descriptor, (label or f"process {os.getpid()}").encode())
        return Ticket(path, descriptor)


def waiting(ledger: Ledger) -> list[str]:
    """The labels of all who wait, the next in turn first."""
    return [_label(path) for path in sorted((ledger.folder / "queue").iterdir()) if is_held(path)]


def _last(folder: Path) -> int:
    return max((int(path.name) for path in folder.iterdir()), default=0)


def _label(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except FileNotFoundError:  # its turn came between two looks
        return ""
