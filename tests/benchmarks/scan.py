"""How fast a scan is, as ratios to ripgrep counting the same anchors in the same run.

    python tests/benchmarks/scan.py [--size MB] [--rounds N] [--rg PATH]

Makes its logs in a temporary directory: service-log noise with errors of four forms (bars,
labelled, XML, JSON line) as a share of the bytes, the same errors at other times and with other
GUIDs. Whole processes are timed, interleaved, with a warm page cache; medians are printed. A scan of
a tiny log tells what does not depend on the size (imports, report); in brackets the ratio without.
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from diagnoser.grammar import FORMS
from diagnoser.grammar.anchors import few_anchors

NOISE = (
    "{t} {thread} I00000000: Session with the management server is idle; 4 tasks wait for their"
    " time, the next of them in {n} minutes\n",
    "{t} {thread} I013C0000: Command 'Backup' progress: {n} of 1000 items, current object is"
    " C:\\Users\\public\\Documents\\file{n}.txt\n",
    "{t} {thread} W00000000: The volume snapshot takes longer than usual, attempt {n} of 1000\n",
    '{{"time":"{t}","level":"info" ,"msg":"heartbeat sent","took":"{n}ms","pid":1234}}\n',
)
ERRORS = (
    """{t} {thread} E01350016: Error 0x1350016: TOL: Failed to execute the command. Backup
| trace level: error
| channel: tol-activity#{guid}
| line: 0x8d165e86fb81959b
| file: e:\\235\\enterprise\\common\\tol\\command.cpp:192
| function: `anonymous-namespace'::Run::Execute
| $module: service_process_vsa64_26986
|
| error 0x2720133: Could not perform SSL_write() call:
| line: 0x50e61e3e2e723ba3
| address: rs-us{k}-cloud.acronis.com
| port: 8443
| $module: isk_bundle_vsa64_26986
""",
    """Error code: 307
Module: 626
LineInfo: 0x50e61e3e2e723ba3
Fields: {{"address":"rs-eu{k}-cloud.acronis.com","$module":"isk_bundle_vsa64_26986","port":"8443","id":"{guid}"}}
Message: Could not perform SSL_write() call:
------------------------
""",
    '<event id="{n}" type="Error" time="11/22/26 8:29:14 PM" message="Backup failed.||'
    " error 0x2720133: Could not perform SSL_write() call:| line: 0x50e61e3e2e723ba3|"
    ' address: rs-jp{k}-cloud.acronis.com| port: 8443" code="41,025,843(0x2720133)" module="626"/>\n',
    '{{"time":"{t}","level":"error" ,"msg":"Post https://eu{k}-cloud.acronis.com/api: dial tcp'
    ' 203.0.113.9:443: connect: connection refused","pid":1234}}\n',
)
# Who installs a package has its modules compiled; an environment that forbids it is no user's.
USUAL = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
DENSITIES = (0.0, 0.0001, 0.01, 0.2)


def lines(size: int, share: float) -> Iterator[str]:
    chance = random.Random(7)
    written = faulty = number = errors = 0
    while written < size:
        number += 1
        second = number // 50
        values = {
            "t": f"2026-11-{1 + second // 86400 % 28:02}T{second // 3600 % 24:02}"
            f":{second // 60 % 60:02}:{second % 60:02}:{number % 1000:03}+01:00",
            "thread": 10060 + number % 7,
            "n": number % 1000,
            "k": 1 + errors % 5,
            "guid": f"{number:08x}-1234-4abc-9def-{chance.getrandbits(48):012x}",
        }
        if faulty < share * written:
            text = ERRORS[errors % 4].format(**values)
            errors += 1
            faulty += len(text)
        else:
            text = NOISE[number % 4].format(**values)
        written += len(text)
        yield text


def is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def timed(command: list[str], out: Path) -> tuple[float, float]:
    """Seconds, and the peak memory in MB of the process and its children."""
    with out.open("wb") as sink:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.DEVNULL, env=USUAL)
        _, _, usage = os.wait4(process.pid, 0)
        return time.perf_counter() - begin, usage.ru_maxrss / 1024


def row(name: str, commands: dict[str, list[str]], start_up: float, rounds: int, out: Path) -> str:
    """Medians as ratios to the first command, whole and without what a tiny log takes."""
    seconds: dict[str, list[float]] = {key: [] for key in commands}
    memory = dict.fromkeys(commands, 0.0)
    for turn in range(rounds + 1):
        for key, command in commands.items():
            took, peak = timed(command, out)
            memory[key] = max(memory[key], peak)
            if turn:  # the first round warms the cache
                seconds[key].append(took)
    medians = {key: statistics.median(taken) for key, taken in seconds.items()}
    peer = next(iter(commands))
    told = [f"{medians[peer] * 1000:.0f} ms"]
    told += [
        f"{medians[k] / medians[peer]:.2f} ({(medians[k] - start_up) / medians[peer]:.2f})"
        for k in commands
        if k != peer
    ]
    return (
        f"| {name} | {' | '.join(told)} | {max(m for k, m in memory.items() if k != peer):.0f} MB |"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=1024, help="MB of each log")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rg", default=shutil.which("rg"))
    wanted = parser.parse_args()
    if not wanted.rg:
        sys.exit("ripgrep is not here: give --rg PATH")
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        anchors = room / "anchors"
        # ripgrep takes patterns in UTF-8 only; those of the code pages are left out for it.
        texts = [a.text for a in few_anchors(FORMS) if is_utf8(a.text)]
        anchors.write_bytes(b"\n".join(texts) + b"\n")
        out = room / "out"

        def scan(file: Path, jobs: int) -> list[str]:
            return [
                sys.executable, "-m", "diagnoser", "scan", str(file), "--offline", "--quiet",
                "--exit-zero", "--format", "json", "--jobs", str(jobs),
            ]  # fmt: skip

        search = [wanted.rg, "--no-config", "-a", "-c", "-F", "-f", str(anchors)]
        tiny = room / "tiny.log"
        # Large enough to be surveyed, and for each of the errors: the same cases are reported.
        tiny.write_text("".join(lines(2_000_000, 0.02)), "utf-8")
        start_up = statistics.median(timed(scan(tiny, 1), out)[0] for _ in range(2 * wanted.rounds))
        print(f"start-up and report: {start_up * 1000:.0f} ms")
        print(f"{wanted.size} MB each, {len(texts)} anchors, {wanted.rounds} rounds")
        print("| log | ripgrep | one process | two processes | peak memory of the scan |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for share in DENSITIES:
            log = room / "mms.0.log"
            with log.open("w", encoding="utf-8") as file:
                file.writelines(lines(wanted.size << 20, share))
            commands = {"rg": [*search, str(log)], "one": scan(log, 1), "two": scan(log, 2)}
            print(row(f"{share:.2%} errors", commands, start_up, wanted.rounds, out), flush=True)
            if share == 0.01:
                wide = room / "wide.log"
                with wide.open("w", encoding="utf-16") as file:
                    file.writelines(lines(wanted.size << 19, share))
                commands = {"rg": [*search, str(wide)], "one": scan(wide, 1), "two": scan(wide, 2)}
                print(row("1 % errors, UTF-16", commands, start_up, wanted.rounds, out), flush=True)
                wide.unlink()
                packed, archive = room / "mms.1.log.gz", room / "report.zip"
                with log.open("rb") as plain, gzip.open(packed, "wb", 6) as squeezed:
                    shutil.copyfileobj(plain, squeezed, 1 << 20)
                with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
                    made.write(log, "mms.0.log")
                pipe = f"zcat {packed} | {' '.join(search)}"
                for kind, whole in (("gzip", packed), ("zip", archive)):
                    commands = {
                        "rg": ["sh", "-c", pipe],
                        "one": scan(whole, 1),
                        "two": scan(whole, 2),
                    }
                    title = f"1 % errors, {kind} (against zcat \\| rg)"
                    print(row(title, commands, start_up, wanted.rounds, out), flush=True)


if __name__ == "__main__":
    main()
