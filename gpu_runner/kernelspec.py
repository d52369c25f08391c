"""The kernelspec `assessor`: how any Jupyter tool finds the sandbox by name."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager

NAME = "assessor"
SPEC = {
    "argv": ["the provisioner starts it"],
    "display_name": "Python 3 (sandboxed)",
    "language": "python",
    "interrupt_mode": "message",
    "metadata": {"kernel_provisioner": {"provisioner_name": "assessor-sandbox", "config": {}}},
}


def install_kernelspec(prefix: str = sys.prefix) -> Path:
    """Installs the kernelspec for the tools of one Python environment; an older one of the name is replaced.

    A kernel of it starts in an empty directory: it does not see the files beside its notebook.

    Args:
        prefix: the environment's root; the running one's by default.

    Returns:
        The directory of the kernelspec.

    Raises:
        OSError: ours; the environment may not be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "kernel.json").write_text(json.dumps(SPEC, indent=1) + "\n", "utf-8")
        return Path(KernelSpecManager().install_kernel_spec(folder, NAME, prefix=prefix))
