"""Containers by docker: podman's code, where its engine runs.

Theory of operation. As podman.py says, but for this:

- Docker's engine runs as root and starts the containers; this process only asks it. What it makes is a child of its own.
- It shows no directory as a root, so an image of the bare root is imported once and kept, of some hundred bytes.
- It gives a container no user namespace unless the whole engine was told to map users, and then our files are closed to
  it: `student` is the host's user 1000. That promise is not kept, and `doctor` says so.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from gpu_runner.errors import SandboxFailed, SandboxUnavailable
from gpu_runner.sandbox.bubblewrap import INSIDE_ID
from gpu_runner.sandbox.contract import Check
from gpu_runner.sandbox.podman import PATH, Podman, engine_environment


class Docker(Podman):
    """Containers by docker."""

    name: ClassVar[str] = "docker"
    program: ClassVar[str] = "docker"
    install: ClassVar[str] = "install docker, or use podman"
    tmpfs_options: ClassVar[str] = ""
    own_users: ClassVar[bool] = False
    _worked: ClassVar[bool] = False

    def checks(self) -> list[Check]:
        """What doctor reports of it; that it does not hold every promise, too."""
        said = "none of its own: the student's user id is the host's 1000"
        return [*super().checks(), Check("sandbox: docker user namespace", False, said, "prefer podman or bubblewrap")]

    def _refused(self) -> tuple[str, str] | None:
        settings: dict[str, Any] = {"env": engine_environment(), "capture_output": True, "text": True, "check": False}
        answer = subprocess.run([*self._engine(), "ps", "--quiet"], **settings)
        if answer.returncode != 0:
            return (answer.stderr.strip().splitlines() or ["its engine does not run"])[0], "start docker's engine, or use podman"
        answer = subprocess.run([*self._engine(), "info", "--format", "{{.SecurityOptions}}"], **settings)
        if "userns" in answer.stdout or "rootless" in answer.stdout:
            return "its engine maps users, so that our files are closed to it", "use podman, which maps them for each container"
        return None

    def _engine(self) -> list[str]:
        program = shutil.which(self.program, path=PATH)
        if program is None:
            raise SandboxUnavailable(self.name, f"the program {self.program} is missing", self.install)
        return [program]

    def _users(self) -> tuple[int, int]:
        return 0, int(INSIDE_ID)

    def _let_in(self, folder: Path, place: Path, users: tuple[int, int]) -> None:
        if os.geteuid() == 0:
            os.chown(place, users[1], users[1])
        place.chmod(0o600 if os.geteuid() == 0 else 0o666)  # the folder is closed to all but us and the daemon

    def _own_options(self, users: tuple[int, int]) -> list[str]:
        return []

    def _root(self, folder: Path) -> list[str]:
        return [self.image or _bare_image(tuple(self._engine()), _bare_root(folder / "root"))]


def _bare_root(root: Path) -> bytes:
    """The bare root's own directory, links and mount points, as an archive; the same for every launch."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in sorted(root.iterdir()):
            member = tarfile.TarInfo(path.name)
            member.mode = path.lstat().st_mode & 0o7777
            member.type = tarfile.SYMTYPE if path.is_symlink() else tarfile.DIRTYPE
            member.linkname = str(path.readlink()) if path.is_symlink() else ""
            tar.addfile(member)
    return archive.getvalue()


@lru_cache(maxsize=4)
def _bare_image(engine: tuple[str, ...], archive: bytes) -> str:
    """Docker's image of the bare root, imported where it is not there yet."""
    tag = f"assessor-bare:{hashlib.sha256(archive).hexdigest()[:16]}"
    settings: dict[str, Any] = {"env": engine_environment(), "capture_output": True, "check": False}
    if subprocess.run([*engine, "image", "inspect", tag], **settings).returncode == 0:
        return tag
    done = subprocess.run([*engine, "import", "-", tag], input=archive, **settings)
    if done.returncode != 0:
        raise SandboxFailed("docker", "the bare image could not be imported", done.stderr.decode(errors="replace").strip())
    return tag
