"""How long a command takes to start, as a ratio to ``python -c pass`` in the same run.

    python tests/benchmarks/startup.py [ROUNDS]

Interleaved rounds, medians; the ratio carries over to other machines, the milliseconds do not.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

SAMPLE = Path(__file__).parents[2] / "sample_logs" / "labelled-en-ssl-write.txt"

# Who installs a package has its modules compiled; an environment that forbids it is no user's.
USUAL = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "diagnoser --version": ["-m", "diagnoser", "--version"],
    "diagnoser --help": ["-m", "diagnoser", "--help"],
    "diagnoser explain 626/307": ["-m", "diagnoser", "explain", "626/307"],
    "diagnoser --offline < error.txt": ["-m", "diagnoser", "--offline"],
    "diagnoser demo": ["-m", "diagnoser", "demo", "--quiet"],
}


def measure(arguments: list[str]) -> float:
    """Seconds of one whole process."""
    with SAMPLE.open("rb") as sample:
        begin = time.perf_counter()
        subprocess.run(
            [sys.executable, *arguments],
            stdin=sample,
            capture_output=True,
            check=False,
            env=USUAL,
        )
        return time.perf_counter() - begin


def main(rounds: int) -> None:
    """Print the table."""
    for arguments in COMMANDS.values():
        measure(arguments)
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, arguments in COMMANDS.items():
            seconds[name].append(measure(arguments))
    base = statistics.median(seconds["python -c pass"])
    print("| command | × `python -c pass` | ms here |")
    print("| --- | --- | --- |")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"| `{name}` | {median / base:.1f} | {median * 1000:.0f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
