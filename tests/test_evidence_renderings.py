"""What this tool wrote, given back to it: the bundle is the case, a page is listed as a page."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from test_cli import diagnoser

from diagnoser import catalog
from diagnoser.evidence import RENDERED, Kind, detect, read_bundle
from diagnoser.reports.wording import words_for

ERROR = """\
Error code: 307
Module: 626
LineInfo: 0x50e61e3e2e723ba3
Fields: {"$module":"isk_bundle_vsa64_26986","address":"rs-us5-cloud.acronis.com","port":"8443"}
Message: Could not perform SSL_write() call:
"""
GOLDEN = Path(__file__).with_name("golden")
PAGES = {"html": "html", "markdown": "md", "text": "txt"}


@pytest.mark.parametrize(
    "path", sorted(p.name for e in PAGES.values() for p in GOLDEN.glob(f"*.{e}"))
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_every_page_is_known_by_its_beginning(path: str, end: bytes) -> None:
    data = (GOLDEN / path).read_bytes().replace(b"\n", end)
    assert detect(data[:65536]) is Kind.RENDERING
    assert detect(b"\xef\xbb\xbf" + data[:65536]) is Kind.RENDERING


@pytest.mark.parametrize(
    "text",
    [
        ERROR, "## What to do\n\n- x\n", "OK  all is well\n\n  What to do\n    1. x\n",
        "## Overview\n\n1. The backup failed\n\n" + ERROR, "Overview: the backup failed\n" + ERROR,
        "!!  Attention [please]\n", "<!DOCTYPE html>\n<html><title>diagnoser</title>" + ERROR, "",
    ],
)  # fmt: skip
def test_nothing_else_is_a_page(text: str) -> None:
    assert detect(text.encode()) is not Kind.RENDERING


def written(at: Path, language: str, *options: str) -> None:
    (at / "error.txt").write_text(ERROR)
    diagnoser("scan", "--offline", "--lang", language, *options, str(at / "error.txt"), expect=1)


@pytest.mark.parametrize("language", sorted(catalog.LANGUAGES))
@pytest.mark.parametrize("form", PAGES)
@pytest.mark.parametrize("count", [2, 12])
def test_a_page_of_several_cases_is_a_page(
    form: str, language: str, count: int, tmp_path: Path
) -> None:
    for n in range(count):
        text = ERROR.replace("626", f"{n + 1}").replace("307", f"{n + 900}")
        (tmp_path / f"error{n}.txt").write_text(text)
    page = diagnoser(
        "scan", "--offline", "--lang", language, "--format", form, str(tmp_path),
        expect=3,
    ).stdout  # fmt: skip
    assert catalog.words(language).phrases["overview"] in page
    for end in ("\n", "\r\n"):
        assert detect(page.replace("\n", end).encode()[:65536]) is Kind.RENDERING


def cases_of(*paths: Path, expect: int = 1) -> list[dict[str, object]]:
    shown = diagnoser("scan", "--offline", "--format", "json", *map(str, paths), expect=expect)
    cases: list[dict[str, object]] = json.loads(shown.stdout)["cases"]
    return cases


@pytest.mark.parametrize("language", sorted(catalog.LANGUAGES))
@pytest.mark.parametrize("form", PAGES)
def test_a_page_is_no_log_and_says_what_to_give(form: str, language: str, tmp_path: Path) -> None:
    page = tmp_path / "report"
    written(tmp_path, language, "--format", form, "--output", str(page))
    done = diagnoser("scan", "--offline", str(page), expect=65)
    assert RENDERED in done.stderr
    beside = diagnoser(
        "scan", "--offline", "--format", "json", str(tmp_path / "error.txt"), str(page), expect=1
    )
    document = json.loads(beside.stdout)
    assert len(document["cases"]) == 1
    assert any(RENDERED in s["reason"] for s in document["skipped"])
    # Found in a folder of logs it counts as little.
    folder = json.loads(
        diagnoser("scan", "--offline", "--format", "json", str(tmp_path), expect=1).stdout
    )
    assert [c["count"] for c in folder["cases"]] == [1]
    assert any(s["reason"] == RENDERED for s in folder["skipped"])


def test_a_bundle_is_the_case_that_is_in_it(tmp_path: Path) -> None:
    bundle = tmp_path / "case.zip"
    written(tmp_path, "en", "--bundle", str(bundle), "--no-redact")
    (first,) = cases_of(tmp_path / "error.txt")
    (again,) = cases_of(bundle)
    assert again["verdicts"] == first["verdicts"]
    assert again["id"] == first["id"]
    (tmp_path / "error.txt").unlink()
    (found,) = cases_of(tmp_path)
    assert found["id"] == first["id"]


def zipped(**members: str) -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("_", "."), text)
    return stream


MANIFEST = '{"tool": {"name": "diagnoser"}}'


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({"manifest_json": MANIFEST, "report_json": "{}"}, b"{}"),
        ({"manifest_json": MANIFEST}, None),
        ({"manifest_json": '{"tool": {"name": "other"}}', "report_json": "{}"}, None),
        ({"manifest_json": "[1]", "report_json": "{}"}, None),
        ({"manifest_json": '{"tool": 1}', "report_json": "{}"}, None),
        ({"manifest_json": "not JSON", "report_json": "{}"}, None),
        ({"report_json": "{}"}, None),
    ],
)
def test_a_bundle_is_known_by_its_manifest(members: dict[str, str], found: bytes | None) -> None:
    stream = zipped(**members)
    assert read_bundle(stream) == found
    assert read_bundle(io.BytesIO(stream.getvalue()[:-9])) is None


def test_the_steps_that_a_page_is_known_by_are_in_every_language() -> None:
    assert all(words_for(x).phrases["remedy"] for x in catalog.LANGUAGES)
