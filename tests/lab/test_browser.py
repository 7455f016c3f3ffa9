"""The HTML report in a real Chromium: widths, colours, paper, accessibility, no request."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import browser
import pytest
from browser import Browser
from casebook import make_case

from diagnoser.diagnosis import judge
from diagnoser.model import Report, Vantage
from diagnoser.reports import render

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(browser.PROGRAM is None, reason="no Chromium on this machine"),
]

TABLES = (
    {
        "endpoint": "rs-us5-cloud.acronis.com:8443",
        "stages": {"connect": ["connection-refused", 111]},
    },
    {"like": "fortinet", "minted": True},
    {"like": "genuine-storage", "suspects": ["port-closed"]},
    {"probed": False, "suspects": ["port-closed", "port-filtered"]},
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser.browse(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture(scope="module", params=["en", "ja"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of four cases, among them one with very long names."""
    long = {
        "endpoint": "eu2-cloud.acronis.com:443",
        "leaf": {
            "subject": {"CN": "a-name-without-any-blank-or-hyphen".replace("-", "x") * 4},
            "issuer": {"O": "An Organisation With A Very Long Name Indeed " * 4, "CN": "x" * 120},
        },
    }
    at = datetime(2026, 11, 23, 19, 40, tzinfo=UTC)
    diagnoses = tuple(judge(make_case(t)) for t in (*TABLES, long))
    report = Report("0.0.0", at, Vantage("machine", "Linux", "system store"), diagnoses)
    target = tmp_path_factory.mktemp("report") / "case.html"
    target.write_text(render(report, "html", request.param), "utf-8")
    return target


@pytest.mark.parametrize("width", [360, 800, 1280])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_every_screen_and_asks_for_nothing(
    page: Browser, file: Path, width: int, dark: bool
) -> None:
    page.open(file, width, dark=dark)
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.run("innerWidth") == width
    assert page.run("document.documentElement.scrollWidth") <= width
    wide = page.run(
        "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right >"
        " innerWidth + 1 && !e.closest('svg')).map(e => e.tagName + ': ' + e.textContent)"
    )
    assert wide == []
    assert page.requested() == [file.as_uri()]
    assert page.complaints() == []
    picture = page.picture()
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20], "big") == width


def test_words_in_pictures_stay_inside_them(page: Browser, file: Path) -> None:
    page.open(file, 360)
    outside = page.run(
        "[...document.querySelectorAll('svg text')].filter(t => { const b = t.getBBox();"
        " return b.x < 0 || b.x + b.width > 360 }).map(t => t.textContent)"
    )
    assert outside == []


def test_the_colours_follow_the_system(page: Browser, file: Path) -> None:
    shown = []
    for dark in (False, True):
        page.open(file, 800, dark=dark)
        shown.append(page.run("getComputedStyle(document.body).backgroundColor"))
    assert shown == ["rgb(255, 255, 255)", "rgb(15, 20, 26)"]


def test_evidence_is_folded_on_the_screen_and_open_on_paper(page: Browser, file: Path) -> None:
    page.open(file, 800)
    folded = page.run("[...document.querySelectorAll('details')].map(d => d.open)")
    assert len(folded) >= 8
    assert not any(folded)
    page.ask("Emulation.setEmulatedMedia", media="print")
    heights = page.run(
        "[...document.querySelectorAll('details > :not(summary)')]"
        ".map(e => e.getBoundingClientRect().height)"
    )
    page.ask("Emulation.setEmulatedMedia", media="")
    assert heights
    assert all(h > 5 for h in heights)


def test_it_prints_on_few_pages(page: Browser, file: Path) -> None:
    page.open(file, 800)
    paper = page.paper()
    assert paper.startswith(b"%PDF")
    # Five cases with all their evidence; the tables of reasons once took four pages each.
    assert 5 <= pages_of(paper) <= 18


def pages_of(pdf: bytes) -> int:
    """The pages of a PDF: page objects, plain or within compressed object streams."""
    texts = [pdf]
    for match in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            texts.append(zlib.decompress(match[1]))
        except zlib.error:
            continue
    return sum(len(re.findall(rb"/Type\s*/Page\b", t)) for t in texts)


def test_a_screen_reader_gets_names_order_and_language(page: Browser, file: Path) -> None:
    """What axe calls violations, asked of Chromium's own accessibility tree."""
    page.open(file, 800)
    nodes = page.ask("Accessibility.getFullAXTree")["nodes"]
    shown = [n for n in nodes if not n["ignored"]]
    roles = [n["role"]["value"] for n in shown]

    def name(node: dict[str, dict[str, str]]) -> str:
        return str(node.get("name", {}).get("value", ""))

    assert roles.count("main") == 1
    assert roles.count("banner") == 1
    for node in shown:
        if node["role"]["value"] in ("image", "link", "heading", "DisclosureTriangle", "article"):
            assert name(node) or node["role"]["value"] == "article", node
    assert roles.count("image") == page.run("document.querySelectorAll('svg').length")
    assert roles.count("columnheader") >= 10
    assert roles.count("rowheader") >= 10
    assert page.run("document.documentElement.lang") in ("en", "ja")
    assert page.run("document.title")
    levels = page.run("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    assert page.run("document.querySelectorAll('[tabindex],[autofocus],[accesskey]').length") == 0


@pytest.mark.skipif("DIAGNOSER_AXE" not in os.environ, reason="DIAGNOSER_AXE names no axe.min.js")
def test_axe_finds_no_violation(page: Browser, file: Path) -> None:
    page.open(file, 800)
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.run(Path(os.environ["DIAGNOSER_AXE"]).read_text("utf-8") + ";0")
    found = page.ask(
        "Runtime.evaluate",
        expression="axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes[0].html))",
        awaitPromise=True,
        returnByValue=True,
    )
    assert found["result"]["value"] == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_letter_has_contrast_as_it_is_drawn(page: Browser, file: Path, dark: bool) -> None:
    """WCAG 2.2, 1.4.3, measured on the colours that the browser computed."""
    page.open(file, 800, dark=dark)
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    faint = page.run(
        """(() => {
        const parts = c => c.match(/[\\d.]+/g).map(Number);
        const lum = c => parts(c).slice(0, 3).map(v => v / 255).map(
            v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
        const ground = e => { for (; e; e = e.parentElement) {
            const c = getComputedStyle(e).backgroundColor;
            if (parts(c).length < 4 || parts(c)[3] > 0) return c; } return 'rgb(255,255,255)' };
        return [...document.querySelectorAll('body :not(title, desc)')].filter(e => [...e.childNodes].some(
            n => n.nodeType === 3 && n.textContent.trim())).map(e => {
            const ink = e.closest('svg') ? getComputedStyle(e).fill : getComputedStyle(e).color;
            const [a, b] = [lum(ink), lum(ground(e))].sort((x, y) => y - x);
            return [(a + 0.05) / (b + 0.05), e.textContent] }).filter(([r]) => r < 4.5) })()"""
    )
    assert faint == []
