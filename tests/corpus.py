"""A directory of logs with planted errors: every form, encoding and archive, in among noise.

    python tests/corpus.py DIR --size MB      makes it
    python tests/corpus.py DIR --check        scans it and compares; exit 1 where they differ

What is planted is known by construction: every sample of ``sample_logs`` that one block is read
from, with a host of its own per file, so that every planted error is a case of its own. The list
stands in ``planted.json`` beside the directory, never in it.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import json
import lzma
import random
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from diagnoser.grammar import read_blocks, setups
from diagnoser.reading.encodings import decode

SAMPLES = Path(__file__).parents[1] / "sample_logs"
HOST = re.compile(r"\b(?:[a-z0-9-]+\.)+acronis\.com\b")
CLOSE = "2026-11-20T10:00:59:999+01:00 10060 I00000000: The next entry of the log\n"
# Forms whose samples name an Acronis host; a sample that stops doing so would be missed.
ERRORS_OF = {"labelled", "piped", "event", "json-line", "document", "registration"}
NOISE = (
    "2026-11-20T10:{m:02}:00:123+01:00 10060 I00000000: Session is idle; {n} tasks wait\n",
    "2026-11-20T10:{m:02}:01:123+01:00 140574684256000 I013C0000: Error 0x0: all of {n} is well\n",
    '{{"time":"2026-11-20T10:{m:02}:02Z","level":"info" ,"msg":"error handling is on, {n}"}}\n',
    "2026-11-20T10:{m:02}:03:123+01:00 10060 W00000000: Retrying, attempt {n}, no error code yet\n",
    "2026-11-20T10:{m:02}:04:123+01:00 10060 I00000000: Check for eu{n}-cloud.acronis.com Ok\n",
)


# The set-up log holds its own lines only.
SET_UP = (
    "2026-11-20T10:{m:02}:14+0100:check_kernel_version finished OK, {n} ms.\n",
    "2026-11-20T10:{m:02}:15+0100:Mount points of kernel module 'snumbd{n}' are detected.\n",
    "2026-11-20T10:{m:02}:16+0100:No errors so far, {n} files unpacked.\n",
)


@dataclass(frozen=True, slots=True)
class Planted:
    """One error: where the scan must say that it stands, and what it is."""

    source: str
    line: int
    names: tuple[str, ...]
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A log and its errors by line."""

    text: str
    errors: tuple[tuple[int, tuple[str, ...], tuple[str, ...]], ...]


def samples() -> list[tuple[str, str]]:
    """Samples that hold one block and name an Acronis host: name and text."""
    found = []
    for path in sorted(SAMPLES.iterdir()):
        text = decode(path.read_bytes())
        blocks = read_blocks(text, path.name).blocks
        if path.name != "README.md" and len(blocks) == 1 and HOST.search(blocks[0].text):
            found.append((path.name, text.rstrip("\n") + "\n"))
    return found


def compose(sample: str, host: str, noise: int, chance: random.Random) -> Text:
    """Noise, one sample with its hosts replaced, and noise."""
    own = HOST.sub(host, sample)
    kind = SET_UP if re.match(setups.OWN_STAMP, own) else NOISE
    above = [line(chance, kind) for _ in range(noise)]
    alone = read_blocks("\n" * 4 + own + "\n" * 4, "x").blocks
    # Half of all forms are pasted ones, whose end shows by the emptiness around them.
    text = "".join(above) + "\n" * 4 + own + "\n" * 4 + CLOSE
    text += "".join(line(chance, kind) for _ in range(noise))
    (block,) = alone
    names = tuple(f.name for f in block.frames)
    return Text(text, ((len(above) + block.at.line, names, (host,)),))


def line(chance: random.Random, kind: tuple[str, ...] = NOISE) -> str:
    return chance.choice(kind).format(m=chance.randrange(60), n=chance.randrange(1000))


def variants(name: str, text: str, number: int) -> tuple[str, bytes]:
    """The file's name and bytes: one of all encodings, ends of lines and archives in turn."""
    windows = text.replace("\n", "\r\n")
    encodings = (
        text.encode,
        lambda: b"\xef\xbb\xbf" + windows.encode(),
        lambda: windows.encode("utf-16"),
        lambda: text.encode("utf-16-be"),
        lambda: text.encode("utf-16-le"),
        (text + "\0" * 5000 + "\n" + "x" * 300_000 + "\n").encode,
    )
    data = encodings[number % len(encodings)]()
    packers = (
        ("", lambda d: d),
        (".gz", lambda d: gzip.compress(d, 1)),
        (".bz2", lambda d: bz2.compress(d, 1)),
        (".xz", lambda d: lzma.compress(d, preset=0)),
        (".zip", lambda d: zipped({f"{name}.0.log": d})),
        (".tar.gz", lambda d: gzip.compress(tarred(f"{name}.0.log", d), 1)),
        (".out.zip", lambda d: zipped({"in.zip": zipped({f"{name}.0.log": d})})),
    )
    suffix, pack = packers[number % len(packers)]
    return f"{name}.0.log{suffix}", pack(data)


def inner(file: str, name: str) -> str:
    """The name that a scan gives to the text in a file."""
    if file.endswith(".out.zip"):
        return f"{file}!/in.zip!/{name}.0.log"
    if file.endswith((".zip", ".tar.gz")):
        return f"{file}!/{name}.0.log"
    return file


def zipped(members: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def tarred(name: str, content: bytes) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return data.getvalue()


def make(directory: Path, megabytes: float) -> list[Planted]:
    """Fill ``directory`` with about so many megabytes of text; the same every time."""
    chance = random.Random(20261124)
    found: list[Planted] = []
    texts = samples()
    noise = max(5, int(megabytes * 1_000_000 / len(texts) / 3 / 2 / 85))
    for number in range(3 * len(texts)):
        sample, text = texts[number % len(texts)]
        name = f"{number:03}-{Path(sample).stem}"
        host = f"rs-p{number}-cloud.acronis.com"
        composed = compose(text, host, noise, chance)
        file, data = variants(name, composed.text, number)
        folder = directory / f"part-{number % 5}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(data)
        source = inner(str(folder / file), name)
        found += [Planted(source, at, names, hosts) for at, names, hosts in composed.errors]
    return found


def scanned(directory: Path, *options: str) -> list[Planted]:
    """What a scan finds there."""
    command = [
        sys.executable, "-m", "diagnoser", "scan", str(directory), "--offline", "--exit-zero",
        "--quiet", "--format", "json", *options,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=True, encoding="utf-8")
    return list(_planted(json.loads(done.stdout)))


def _planted(document: dict[str, list[dict[str, object]]]) -> Iterator[Planted]:
    for case in document["cases"]:
        block = case["block"]
        assert isinstance(block, dict)
        names = tuple(f["symbol"] or f"{f['module']}/{f['code']}" for f in block["frames"])
        hosts = tuple(sorted(set(HOST.findall(json.dumps([block["frames"], case["endpoints"]])))))
        for _ in range(int(str(case["count"]))):
            yield Planted(block["source"], block["line"], names, hosts)


def differences(planted: list[Planted], found: list[Planted]) -> list[str]:
    """In words, what is missing and what is too many."""
    left = list(found)
    told = []
    for one in planted:
        if one in left:
            left.remove(one)
        else:
            told.append(f"missing: {one}")
    return told + [f"too many: {one}" for one in left]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--size", type=float, default=100, help="MB of text")
    parser.add_argument("--check", action="store_true")
    wanted = parser.parse_args()
    listed = wanted.directory.with_name(wanted.directory.name + ".planted.json")
    if not wanted.check:
        planted = make(wanted.directory, wanted.size)
        listed.write_text(json.dumps([asdict(p) for p in planted]), "utf-8")
        print(f"{len(planted)} errors planted")
        return
    known = [
        Planted(p["source"], p["line"], tuple(p["names"]), tuple(p["hosts"]))
        for p in json.loads(listed.read_text("utf-8"))
    ]
    told = differences(known, scanned(wanted.directory))
    print("\n".join(told) or f"all {len(known)} planted errors were found, and no other")
    sys.exit(bool(told))


if __name__ == "__main__":
    main()
