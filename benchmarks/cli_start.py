"""How soon the command line answers: `assessor --help` and a usage error, against a bare Python start.

The last line is JSON: {"help_ms", "usage_error_ms", "python_ms", "help_over_python"}; medians of wall time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ASSESSOR = Path(sys.executable).with_name("assessor")
COMMANDS = {
    "python": ([sys.executable, "-c", "pass"], 0),
    "help": ([str(ASSESSOR), "--help"], 0),
    "subcommand_help": ([str(ASSESSOR), "autograde", "--help"], 0),
    "usage_error": ([str(ASSESSOR), "autograde", "--no-such-option"], 2),
    "unknown_command": ([str(ASSESSOR), "autgrade"], 2),
}
ROUNDS = 21


def one_ms(command: list[str], status: int) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False)
    elapsed = 1000 * (time.perf_counter() - start)
    if done.returncode != status:
        sys.exit(f"{command} exited {done.returncode}, not {status}: {done.stderr.decode()}")
    return elapsed


def main() -> None:
    samples: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):  # interleaved, so that a busy moment hits all of them
        for name, (command, status) in COMMANDS.items():
            samples[name].append(one_ms(command, status))
    result = {f"{name}_ms": round(median(values), 1) for name, values in samples.items()}
    for name, value in result.items():
        print(f"{name:22} {value:8.1f}")
    result["help_over_python"] = round(result["help_ms"] / result["python_ms"], 2)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
