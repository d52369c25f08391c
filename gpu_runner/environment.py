"""The Python that students' code runs with: where it lies, what it holds, what of it a sandbox must not show."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gpu_runner.errors import SandboxUnavailable

HIDDEN = ("assessor", "gpu_runner", "nbgrader")
"""Installed packages that no student's process may see: our own, and nbgrader with its paths."""
ASK = """
import json, sys, sysconfig
from importlib.metadata import distributions
print(json.dumps({
    "executable": sys.executable, "prefix": sys.prefix, "base_prefix": sys.base_prefix,
    "site_packages": sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}),
    "version": sys.version.split()[0], "packages": {(d.metadata["Name"] or "?").lower(): d.version for d in distributions()},
}))
"""


@dataclass(frozen=True)
class PythonEnvironment:
    """One Python environment of this host.

    Attributes:
        executable: as named inside the sandbox too: every directory is bound at its own path.
        roots: directories that must be visible, outermost first, none inside another.
        hidden: files and directories in them that must not be.
        sites: its directories of installed packages.
        packages: name -> version of everything installed but what is hidden.
    """

    executable: Path
    version: str
    roots: tuple[Path, ...]
    hidden: tuple[Path, ...]
    sites: tuple[Path, ...]
    packages: dict[str, str]

    @property
    def sha256(self) -> str:
        """Names this environment: its Python and every package with its version."""
        lines = [self.version, *(f"{name}=={version}" for name, version in sorted(self.packages.items()))]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@lru_cache(maxsize=8)
def python_environment(python: Path | None = None) -> PythonEnvironment:
    """Asks an interpreter (default: this one) about itself; once a process.

    Raises:
        SandboxUnavailable: ours; it does not run, or holds no ipykernel.
    """
    executable = str(python or sys.executable)
    try:
        done = subprocess.run([executable, "-I", "-c", ASK], capture_output=True, text=True, timeout=60, check=True)
        told = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as fault:
        raise SandboxUnavailable("python", f"{executable} does not run: {fault}", "mend environment.python") from None
    if "ipykernel" not in told["packages"]:
        raise SandboxUnavailable("python", f"{executable} has no ipykernel", "install ipykernel there")
    sites = {path for site in map(Path, told["site_packages"]) for path in (site, site.resolve())}
    return PythonEnvironment(
        executable=Path(told["executable"]),
        version=told["version"],
        roots=_outermost([Path(told["prefix"]), Path(told["base_prefix"])]),
        hidden=tuple(sorted(path for site in sites for path in _hidden(site))),
        sites=tuple(sorted(sites)),
        packages={name: version for name, version in sorted(told["packages"].items()) if not _is_hidden(name)},
    )


def _outermost(folders: list[Path]) -> tuple[Path, ...]:
    """The folders that are not below another of them nor below /usr, which every sandbox shows.

    Both as they are named and as they are without links: programs and scripts in them name either.
    """
    wanted = {path for folder in folders for path in (folder.absolute(), folder.resolve())}
    whole = [Path("/usr"), *wanted]
    return tuple(sorted(f for f in wanted if not any(f != other and f.is_relative_to(other) for other in whole)))


def _hidden(site: Path) -> list[Path]:
    if not site.is_dir():
        return []
    return [path for path in site.iterdir() if _is_hidden(path.name)]


def _is_hidden(name: str) -> bool:
    return any(part in name.lower() for part in HIDDEN)
