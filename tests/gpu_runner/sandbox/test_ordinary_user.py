"""The way of an ordinary user, without root and without cgroups: here root becomes one to try it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from nbformat.v4 import new_code_cell, new_notebook
from gpu_runner.execution import Limits
from gpu_runner.notebook import open_kernel
from gpu_runner.sandbox import check_backend
hog = "hoard = []\\nwhile True: hoard.append(bytearray(10**7))"
bomb = "import os\\nfor _ in range(500):\\n    if os.fork() == 0: os.read(os.pipe()[0], 1)"
told = {"uid": os.getuid(), "checks": [check.detail for check in check_backend("bubblewrap")]}
for name, source in (("hog", hog), ("bomb", bomb)):
    with open_kernel(Limits(memory_bytes=2**30, processes=40)) as kernel:
        execution = kernel.run(new_notebook(cells=[new_code_cell('1'), new_code_cell(source)]))
        cells = execution.cells
        told[name] = [execution.outcome, [cell.status for cell in cells], [cell.error for cell in cells]]
print("TOLD" + json.dumps(told))
"""
STAGE = """
set -e
mount -t tmpfs -o mode=755 tmpfs /mnt
number=0
for source in "$@"; do mkdir /mnt/$number; mount --bind "$source" /mnt/$number; number=$((number + 1)); done
[ "$HOME" = / ] || mount -t tmpfs -o mode=755 tmpfs "$HOME"
number=0
for source in "$@"; do mkdir -p "$source"; mount --bind /mnt/$number "$source"; number=$((number + 1)); done
exec setpriv --reuid=54321 --regid=54321 --clear-groups --inh-caps=-all --bounding-set=-all \
  env -i PATH=/usr/bin:/bin HOME=/tmp PYTHONDONTWRITEBYTECODE=1 "$PYTHON" -W ignore -c "$PROGRAM" "$PROJECT"
"""


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="only root can become another user")
def test_without_root_and_without_cgroups_it_holds_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    sources = dict.fromkeys([sys.base_prefix, sys.prefix])
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", STAGE, "sh", *sources],
        env={"PATH": os.environ["PATH"], "HOME": str(Path.home()), "PYTHON": sys.executable, "PROGRAM": PROGRAM,
             "PROJECT": str(ROOT)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "TOLD" in done.stdout, done.stdout + done.stderr
    told = json.loads(done.stdout.split("TOLD", 1)[1])
    assert told["uid"] == 54321
    assert "watchdog" in told["checks"][1]
    assert told["hog"][:2] == ["memory exceeded", ["ok", "killed"]]
    assert told["bomb"][0] == "completed"
    assert told["bomb"][2][1].startswith("BlockingIOError")
