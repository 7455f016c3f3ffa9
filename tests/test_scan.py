"""Directories and archives as a support engineer points at them; every place is exact."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from test_cli import ARTICLE, diagnoser

from diagnoser.model import Skipped
from diagnoser.reading.archives import Source, expand
from diagnoser.reading.inflating import Damaged, Limits, TooLarge
from diagnoser.reading.walking import Selection, walk


def block(host: str) -> bytes:
    return ARTICLE.replace("rs-ca01-cloud.acronis.com", host).encode()


def zipped(**members: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def test_a_directory_gives_every_planted_error_with_its_place(tmp_path: Path) -> None:
    logs = tmp_path / "logs" / "deep"
    logs.mkdir(parents=True)
    (logs / "mms.0.log").write_bytes(b"noise\n" * 7 + block("rs-us1-cloud.acronis.com"))
    (logs / "mms.1.log.gz").write_bytes(gzip.compress(block("rs-us2-cloud.acronis.com")))
    (logs / "utf16.log").write_bytes(block("rs-us3-cloud.acronis.com").decode().encode("utf-16"))
    inner = zipped(**{"MMS/mms.0.log": block("rs-us4-cloud.acronis.com")})
    (logs / "report.zip").write_bytes(
        zipped(**{"inner.zip": inner, "core.7z": b"7z\xbc\xaf\x27\x1c" + b"x" * 600})
    )
    with tarfile.open(logs / "old.tar.xz", "w:xz") as archive:
        member = tarfile.TarInfo("var/mms.log")
        data = block("rs-us5-cloud.acronis.com")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    (logs / "quiet.log").write_bytes(b"nothing\n" * 50)
    (logs / "loop").symlink_to(tmp_path / "logs")
    done = diagnoser("scan", str(tmp_path), "--offline", "--format", "json", expect=1)
    document = json.loads(done.stdout)
    places = {
        c["endpoints"][0]["host"]: (
            c["block"]["source"].removeprefix(str(logs)),
            c["block"]["line"],
        )
        for c in document["cases"]
    }
    assert places == {
        "rs-us1-cloud.acronis.com": (f"{os.sep}mms.0.log", 8),
        "rs-us2-cloud.acronis.com": (f"{os.sep}mms.1.log.gz", 1),
        "rs-us3-cloud.acronis.com": (f"{os.sep}utf16.log", 1),
        "rs-us4-cloud.acronis.com": (f"{os.sep}report.zip!/inner.zip!/MMS/mms.0.log", 1),
        "rs-us5-cloud.acronis.com": (f"{os.sep}old.tar.xz!/var/mms.log", 1),
    }
    reasons = " ".join(s["source"] + " " + s["reason"] for s in document["skipped"])
    assert "core.7z" in reasons
    assert "7z archive" in reasons


def test_a_directory_without_errors_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("nothing\n")
    done = diagnoser("scan", str(tmp_path), expect=65)
    assert "no error block" in done.stderr


@pytest.mark.parametrize("pack", [gzip.compress, lambda d: zipped(**{"a.log": d})])
def test_a_bomb_is_cut_and_listed(pack: object) -> None:
    data = pack(b"\0" * (4 << 20))  # type: ignore[operator]
    limits = Limits(ratio=10, grace=1 << 20)
    told = []
    for found in expand(io.BytesIO(data), "bomb", limits):
        if isinstance(found, Skipped):
            told.append(found.reason)
        else:
            try:
                assert sum(len(c) for c in iter(lambda: found.stream.read(65536), b"")) < 4 << 20  # noqa: B023
            except (TooLarge, Damaged) as error:
                told.append(f"{type(error).__name__} {error}")
    assert any("expands" in t for t in told), told


def test_archives_within_archives_end_at_the_limit() -> None:
    data = b"text"
    for _ in range(9):
        data = zipped(**{"next.zip": data})
    found = list(expand(io.BytesIO(data), "matryoshka", Limits(depth=4)))
    assert [type(f) for f in found] == [Skipped]


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_damaged_archives_are_listed_and_raise_nothing(cut: int, tmp_path: Path) -> None:
    file = tmp_path / "cut.zip"
    file.write_bytes(zipped(**{"a.log": block("rs-us1-cloud.acronis.com") * 20})[:-cut])
    done = diagnoser("scan", str(tmp_path), "--offline")
    assert done.returncode in (1, 3, 65)
    packed = tmp_path / "cut.log.gz"
    packed.write_bytes(gzip.compress(os.urandom(4000))[:-cut])
    done = diagnoser("scan", str(packed), "--offline")
    assert done.returncode in (1, 3, 65)


def test_links_in_a_circle_are_walked_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "x.log").write_text("x")
    found = list(walk(str(tmp_path), Selection()))
    assert len([f for f in found if not isinstance(f, Skipped)]) == 1


def test_sources_are_named_by_their_way_in() -> None:
    data = zipped(**{"b/c.log": gzip.compress(b"text")})
    names = [f.name for f in expand(io.BytesIO(data), "a.zip", Limits()) if isinstance(f, Source)]
    assert names == ["a.zip!/b/c.log"]
