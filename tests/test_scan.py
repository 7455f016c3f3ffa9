"""Directories and archives as a support engineer points at them; every place is exact."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import tarfile
import threading
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


def test_what_the_log_says_of_its_settings_stands_in_the_case(tmp_path: Path) -> None:
    log = tmp_path / "mms.0.log"
    noise = b"2026-11-20T10:00:00:123+01:00 100 I00000000: nothing\n" * 3000
    log.write_bytes(
        noise + b"2026-11-20T10:00:00:123+01:00 100 I00000000: Proxy setting: Enabled = 1,"
        b" Host = 'proxy.corp.lan', port = 8080, user = bob\n"
        b"2026-11-20T10:00:01:123+01:00 100 I00000000: DataStore: baas-fes-eu2.acronis.com\n"
        + noise
        + block("rs-us1-cloud.acronis.com")
    )
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.log").write_bytes(block("rs-us2-cloud.acronis.com"))
    done = diagnoser("scan", str(tmp_path), "--offline", "--format", "json", expect=1)
    near, far = json.loads(done.stdout)["cases"]
    told = {e["fact"]: e["value"] for e in near["surroundings"]}
    assert told["logged_proxy"] == "proxy.corp.lan:8080"
    assert told["logged_storage"] == "baas-fes-eu2.acronis.com"
    assert told["agent_build"] == "26986 (vsa64)"
    assert [e["fact"] for e in far["surroundings"]] == ["agent_build"]
    assert "bob" not in done.stdout


def test_since_include_and_exclude_choose_and_tell(tmp_path: Path) -> None:
    stamped = (
        b"%s 100 E02720133: Error 0x2720133: Could not perform SSL_write() call:\n| port: %d\n"
    )
    (tmp_path / "mms.0.log").write_bytes(
        stamped % (b"2026-11-20T10:00:00:000+01:00", 8443)
        + stamped % (b"2026-11-21T10:00:00:000+01:00", 44445)
    )
    (tmp_path / "core.txt").write_bytes(stamped % (b"2026-11-21T10:00:00:000+01:00", 443))
    at = "--since", "2026-11-21"
    done = diagnoser("scan", str(tmp_path), "--offline", "-f", "json", *at, "--include", "*.log")
    report = json.loads(done.stdout)
    assert [c["first_seen"] for c in report["cases"]] == ["2026-11-21T10:00:00.000+01:00"]
    assert any("1 errors before --since" in s["reason"] for s in report["skipped"])
    done = diagnoser("scan", str(tmp_path), "--offline", "-f", "json", "--exclude", "*.log")
    assert len(json.loads(done.stdout)["cases"]) == 1
    done = diagnoser("scan", str(tmp_path), "--since", "yesterday", expect=2)
    assert "2026-11-20T08:30" in done.stderr


@pytest.mark.parametrize(
    ("since", "places"),
    [
        # A clock time is that of the logs, whatever their zones.
        ("2026-11-20T09:30", ["us1"]),
        ("2026-11-20T08:50", ["us1", "us2"]),
        # With a zone it is a point in time; what names no zone is taken to be in that.
        ("2026-11-20T08:30Z", ["us1", "us2", "us3"]),
        ("2026-11-20T17:30+09:00", ["us1", "us2"]),
        ("2026-11-20T09:30Z", []),
    ],
)
def test_since_with_a_zone_is_a_point_in_time(
    tmp_path: Path, since: str, places: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    entry = (
        "{} 100 E02720133: Error 0x2720133: Could not perform SSL_write() call:\n"
        "| address: rs-us{}-cloud.acronis.com\n| port: 8443\n"
    )
    stamps = {
        1: "2026-11-20T10:00:00:000+01:00",
        2: "2026-11-20T09:00:00:000Z",
        3: "2026-11-20T08:45:00:000",
    }
    text = "".join(entry.format(at, n) * 3 for n, at in stamps.items())
    log, packed = tmp_path / "mms.0.log", tmp_path / "x.zip"
    log.write_text(text * 400)
    packed.write_bytes(zipped(**{"mms.0.log": text.encode()}))
    for named in (log, packed):
        done = diagnoser("scan", str(named), "--offline", "-f", "json", "--since", since)
        cases = json.loads(done.stdout)["cases"]
        assert sorted(c["endpoints"][0]["host"][3:6] for c in cases) == places


def test_the_same_error_at_other_times_is_one_case_with_a_time_line(tmp_path: Path) -> None:
    log = tmp_path / "mms.0.log"
    stamped = (
        "2026-11-20T{:02}:00:00:000+01:00 {} E02720133: Error 0x2720133: Could not perform"
        " SSL_write() call:\n| channel: tol-activity#{:08x}-1234-4abc-9def-0123456789ab\n"
        "| address: rs-us1-cloud.acronis.com\n| port: 8443\n"
    )
    log.write_text("".join(stamped.format(h, 100 + h, h) * (h % 3 + 1) for h in range(24)))
    done = diagnoser("scan", str(tmp_path), "--offline", expect=1)
    assert "Seen 48 times, 2026-11-20T00:00:00.000+01:00 – 2026-11-20T23:00:00.000+01:00" in (
        done.stdout
    )
    assert "▃ ▆ █" in done.stdout


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_a_tar_file_cannot_fill_the_memory(tmp_path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("long")
    member.type, member.size = kind, 8 << 30
    packed = tmp_path / "a.tar"
    packed.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + b"x" * 100_000)
    found = list(expand(io.BytesIO(packed.read_bytes()), "a.tar", Limits()))
    assert [type(f) for f in found] == [Skipped]
    assert "a header of" in found[0].reason  # type: ignore[union-attr]


def test_a_sparse_member_of_a_tar_file_costs_nothing(tmp_path: Path) -> None:
    """GNU tar writes a hole of any size in a few bytes."""
    holes, packed = tmp_path / "holes.log", tmp_path / "a.tar"
    with holes.open("wb") as file:
        file.truncate(8 << 30)
        file.seek(8 << 30)
        file.write(block("rs-us5-cloud.acronis.com"))
    subprocess.run(["tar", "-C", tmp_path, "--sparse", "-cf", packed, "holes.log"], check=True)
    assert packed.stat().st_size < 1 << 20
    found = list(expand(io.BytesIO(packed.read_bytes()), "a.tar", Limits()))
    assert found == [Skipped("a.tar!/holes.log", "a sparse file")]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no /proc here")
def test_a_link_into_the_kernel_is_not_followed(tmp_path: Path) -> None:
    """``/proc/self/root`` leads to every file of the machine, ``/proc/kmsg`` never ends."""
    (tmp_path / "all").symlink_to("/proc/self")
    (tmp_path / "endless.log").symlink_to("/proc/self/status")
    found = list(walk(str(tmp_path), Selection()))
    assert found == [
        Skipped(str(tmp_path / "all"), "a directory of the kernel, which holds no logs"),
        Skipped(str(tmp_path / "endless.log"), "is no regular file"),
    ]


def test_what_was_left_out_is_said_where_no_error_was_found(tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(os.urandom(5000))[:3000])
    done = diagnoser("scan", str(tmp_path), "--offline")
    assert done.returncode == 65
    assert f"left out: {tmp_path}{os.sep}cut.gz: " in done.stderr


def test_a_document_below_a_json_line_is_found(tmp_path: Path) -> None:
    """A whole JSON object above it ends where it ends."""
    document = (
        '{"serCode":"0x02470001+0x0226003c","origin":{"code":1,"module":583,'
        '"text":"HTTP transfer error","fields":{}}}'
    )
    log = tmp_path / "mms.log"
    log.write_text(
        '{"time":"2026-11-20T10:30:02Z","level":"info" ,"msg":"error handling is on"}\n'
        f"2026-11-20T10:30:04.730Z worker[12]: request failed, answer: {document} (attempt 3)\n"
    )
    done = diagnoser("scan", str(log), "--offline", "--format", "json")
    (case,) = json.loads(done.stdout)["cases"]
    assert [(f["module"], f["code"]) for f in case["block"]["frames"]] == [(583, 1)]


def times_of(*arguments: str, pasted: str = "") -> list[tuple[object, ...]]:
    done = diagnoser(*arguments, "--offline", "--format", "json", given=pasted)
    cases = json.loads(done.stdout)["cases"]
    return [(c["block"]["line"], c["first_seen"], c["last_seen"], c["count"]) for c in cases]


NEW = "2026-11-20T10:00:00:000+00:00 1 I00000000: new\n"
LATER = "2026-11-20T11:00:00:000+00:00 1 I00000000: idle\n"


@pytest.mark.parametrize("below", ["", LATER * 30_000])
def test_a_block_has_the_time_of_the_entry_above_it(tmp_path: Path, below: str) -> None:
    """Wherever it is read from; what a log began with, or its message speaks of, is another."""
    at = "2026-11-20T10:00:00.000+00:00"
    text = (
        f"2020-01-01T10:00:00:000+00:00 1 I00000000: old\n{LATER}{NEW}{ARTICLE.rstrip()}"
        f" valid until 2019-03-01 12:00:00\n{below}"
    )
    log = tmp_path / "logs" / "mms.0.log"
    log.parent.mkdir()
    log.write_text(text)
    (tmp_path / "a.zip").write_bytes(zipped(**{"mms.0.log": text.encode()}))
    expected = [(4, at, at, 1)]
    for named in (log.parent, log, tmp_path / "a.zip"):
        assert times_of("scan", str(named), "--since", "2026-11-20T09:00") == expected
        assert times_of("scan", str(named), "--since", "2026-11-20T10:30") == []
    assert times_of(pasted=text) == expected


def test_what_stands_far_above_a_block_is_not_its_time(tmp_path: Path) -> None:
    text = NEW + "a line without any time\n" * 40 + ARTICLE
    (tmp_path / "mms.0.log").write_text(text)
    assert times_of("scan", str(tmp_path)) == times_of(pasted=text) == [(42, None, None, 1)]


def test_every_entry_of_a_quoted_log_has_its_own_time(tmp_path: Path) -> None:
    text = "".join(
        f"> 2026-11-20T0{hour}:00:00:000+00:00 1 E0272013{hour}: Error 0x272013{hour}: no\n> | port: 1\n"
        for hour in (3, 1, 3)
    )
    (tmp_path / "mms.0.log").write_text(text)
    three, one = "2026-11-20T03:00:00.000+00:00", "2026-11-20T01:00:00.000+00:00"
    assert times_of("scan", str(tmp_path)) == [(1, three, three, 2), (3, one, one, 1)]


@pytest.mark.parametrize("apart", [0, 1_000])
def test_first_and_last_are_told_across_the_end_of_summer_time(tmp_path: Path, apart: int) -> None:
    """Half past two, summer time, is before ten past two, winter time."""
    entry = "2018-10-28T{}:00:000{} 1 E02720133: Error 0x2720133: no\n| port: 1\n"
    summer, winter = ("02:50", "+02:00"), ("02:10", "+01:00")
    text = entry.format(*summer) + entry.format("02:51", "+02:00") * apart + entry.format(*winter)
    log = tmp_path / "mms.0.log"
    log.write_text(text)
    first, last = "2018-10-28T02:50:00.000+02:00", "2018-10-28T02:10:00.000+01:00"
    expected = [(1, first, last, apart + 2)]
    assert times_of("scan", str(log)) == times_of("scan", str(tmp_path)) == expected


@pytest.mark.skipif(os.name == "nt", reason="no named pipes in the file system")
def test_a_pipe_given_as_a_file_is_read_once(tmp_path: Path) -> None:
    for number, data in enumerate(
        (block("rs-us1-cloud.acronis.com"), b"idle\n" * 30_000 + block("rs-us1-cloud.acronis.com"))
    ):
        pipe = tmp_path / f"pipe{number}"
        os.mkfifo(pipe)
        with subprocess.Popen(["sh", "-c", f"cat > {pipe}"], stdin=subprocess.PIPE) as writer:
            assert writer.stdin is not None
            feeder = threading.Thread(
                target=lambda w=writer, d=data: (w.stdin.write(d), w.stdin.close())
            )
            feeder.start()
            done = diagnoser("scan", str(pipe), "--offline", "--format", "json", expect=1)
            feeder.join()
        (case,) = json.loads(done.stdout)["cases"]
        assert case["endpoints"][0]["host"] == "rs-us1-cloud.acronis.com"
        assert case["block"]["line"] == data.count(b"\n") - ARTICLE.count("\n") + 1


def test_what_is_packed_is_read_from_a_pipe_too() -> None:
    for data, name in (
        (gzip.compress(block("rs-us1-cloud.acronis.com")), "stdin"),
        (zipped(**{"a/mms.0.log": block("rs-us1-cloud.acronis.com")}), "stdin!/a/mms.0.log"),
    ):
        done = diagnoser("--offline", "--format", "json", given=data, expect=1)
        (case,) = json.loads(done.stdout)["cases"]
        assert (case["block"]["source"], case["block"]["line"]) == (name, 1)
    done = diagnoser("--offline", given=gzip.compress(b"idle\n"), expect=65)
    assert "no error block in it" in done.stderr
    done = diagnoser("--offline", given=b"7z\xbc\xaf\x27\x1c" + b"x" * 600, expect=65)
    assert "left out: stdin: is a 7z archive" in done.stderr


def test_archives_that_cannot_be_read_are_listed_with_their_reason(tmp_path: Path) -> None:
    data = zipped(**{"a.log": block("rs-us1-cloud.acronis.com") * 20})
    (tmp_path / "report.exe").write_bytes(b"MZ" + b"\0" * 3000 + data)
    (tmp_path / "program.exe").write_bytes(b"MZ" + b"\0" * 3000)
    done = diagnoser("scan", str(tmp_path), "--offline", "--format", "json", expect=65)
    told = {Path(s["source"]).name: s["reason"] for s in json.loads(done.stdout)["skipped"]}
    assert told == {
        "report.exe": "is a program with a zip archive in it, which is not looked into: unpack it",
    }
    done = diagnoser("scan", str(tmp_path / "report.exe"), "--offline", expect=65)
    assert "is a program with a zip archive in it" in done.stderr
