"""The HTML report as a file: complete, self-contained, accessible by its markup, small."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from casebook import make_case
from hypothesis import given
from hypothesis import strategies as st

from diagnoser import catalog
from diagnoser.diagnosis import judge
from diagnoser.model import (
    Case,
    Diagnosis,
    ErrorBlock,
    ErrorFrame,
    Location,
    Report,
    Skipped,
    Vantage,
)
from diagnoser.reports import render
from diagnoser.reports.courses import chart, course
from diagnoser.reports.stylesheet import DARK, LIGHT

CLOSED = {
    "endpoint": "rs-us5-cloud.acronis.com:8443",
    "stages": {"connect": ["connection-refused", 111]},
}
INTERCEPTED = {"like": "fortinet", "minted": True}
# Logs write local times without a zone.
YEARS = (datetime(1990, 1, 1), datetime(2040, 1, 1))  # noqa: DTZ001
VOID = {"meta", "br", "link", "img", "hr", "input", "rect", "path"}


class Page(HTMLParser):
    """A page taken apart; raises where a tag is not closed by its own."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((tuple(self.open), data))

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [a for t, a in self.tags if t == tag]

    def within(self, tag: str) -> list[str]:
        return [t for path, t in self.texts if path[-1:] == (tag,)]


def report(*diagnoses: Diagnosis, skipped: tuple[Skipped, ...] = ()) -> Report:
    return Report(
        "0.0.0",
        datetime(2026, 11, 23, 19, 40, tzinfo=UTC),
        Vantage("machine", "Linux", "system store"),
        diagnoses,
        skipped,
    )


def page(*tables: dict[str, object], language: str = "en") -> Page:
    return Page(render(report(*(judge(make_case(t)) for t in tables)), "html", language))


@pytest.mark.parametrize("language", catalog.LANGUAGES)
@pytest.mark.parametrize("tables", [[CLOSED], [CLOSED, INTERCEPTED], [{"probed": False}]])
def test_the_markup_is_sound_and_says_its_language(
    language: str, tables: list[dict[str, object]]
) -> None:
    shown = page(*tables, language=language)
    assert shown.attributes("html") == [{"lang": language}]
    assert len(shown.within("title")) >= 1
    levels = [int(t[1]) for t, _ in shown.tags if re.fullmatch(r"h[1-6]", t)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    named = [str(a["id"]) for _, a in shown.tags if "id" in a]
    assert len(named) == len(set(named))
    for a in shown.attributes("a"):
        assert str(a["href"]).removeprefix("#") in named
    assert all(a.get("scope") in ("row", "col") for a in shown.attributes("th"))


def test_every_picture_says_in_words_what_it_shows() -> None:
    shown = page(INTERCEPTED)
    pictures = shown.attributes("svg")
    assert len(pictures) == 3
    for picture in pictures:
        assert picture["role"] == "img"
        assert len(str(picture["aria-label"])) > 40
    told = " ".join(shown.within("desc"))
    assert "foreign issuer" in told
    assert "TLS handshake: ok, 1 ms" in told


def test_nothing_is_fetched_and_nothing_runs() -> None:
    text = render(report(judge(make_case(INTERCEPTED))), "html", "en")
    shown = Page(text)
    assert not {t for t, _ in shown.tags} & {"script", "link", "img", "iframe", "object", "base"}
    for _, attributes in shown.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert not attributes.keys() & {"src", "srcset", "style", "xlink:href"}
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_the_verdict_comes_first_and_the_remedy_is_numbered() -> None:
    text = render(report(judge(make_case(CLOSED))), "html", "en")
    order = [
        text.index(part)
        for part in (
            ">Port closed</h2>", ">What to do</h3><ol>", ">How far the connection came</h3>",
            ">Evidence</h3>", "Ruled out (", "Not decided (", ">Repeat by hand</h3>",
        )
    ]  # fmt: skip
    assert order == sorted(order)
    assert "It broke here: TCP connection" in text


def test_causes_are_ruled_out_for_a_reason_each() -> None:
    text = render(report(judge(make_case(CLOSED))), "html", "en")
    assert (
        '<th scope="row">Host name not found; Name lookup failed</th>'
        "<td>name lookup: ok</td>" in text
    )
    assert "TLS handshake: not reached" in text


def test_the_foreign_issuer_is_marked_beside_what_was_expected() -> None:
    text = render(report(judge(make_case(INTERCEPTED))), "html", "en")
    assert text.index("Chain as received") < text.index("Chain as expected")
    assert re.search(r'class="alarm".*?CN=FGT60F1234567890.*?✗ foreign issuer', text, re.DOTALL)


def test_a_genuine_chain_has_no_foreign_issuer() -> None:
    assert "✗ foreign" not in render(report(judge(make_case({"like": "genuine"}))), "html", "en")


def test_endpoints_with_the_same_chain_share_one_picture() -> None:
    other = {"like": "genuine", "endpoint": "eu2-cloud.acronis.com:8443"}
    two = {"probes": [{"like": "genuine"}, other]}
    text = render(report(judge(make_case(two))), "html", "en")
    assert text.count("<figcaption>Chain as received") == 1
    assert "Chain: eu2-cloud.acronis.com:443, eu2-cloud.acronis.com:8443" in text


def seen(first: str | None, last: str | None, count: int) -> Diagnosis:
    at = Location("mms.log", 1)
    frame = ErrorFrame(626, 307, None, (), "refused", at)
    block = ErrorBlock("labelled", "en", (frame,), at, "refused")
    return judge(Case(block, count=count, first_seen=first, last_seen=last))


def test_errors_over_time_are_drawn_where_there_is_a_course() -> None:
    text = render(report(seen("2026-11-20 08:00:00", "2026-11-23T19:30:00Z", 37)), "html", "en")
    assert "Errors over time" in text
    assert "×37" in text
    for nothing in (seen(None, None, 5), seen("2026-11-20 08:00:00", "2026-11-20 08:00:00", 1)):
        assert "Errors over time" not in render(report(nothing), "html", "en")


def test_the_course_of_one_error_is_a_bar_chart_with_its_words() -> None:
    at = Location("mms.log", 1)
    frame = ErrorFrame(626, 307, None, (), "refused", at)
    block = ErrorBlock("labelled", "en", (frame,), at, "refused")
    times = (("2026-11-20T08:00", 2), ("2026-11-20T08:40", 30), ("2026-11-21T19:59", 5))
    case = Case(block, count=37, first_seen=times[0][0], last_seen=times[-1][0], times=times)
    found = course(case)
    assert found is not None
    assert sum(found.counts) == 37
    assert len(found.counts) <= 48
    assert found.counts[0] == 32
    assert found.counts[-1] == 5
    text = render(report(judge(case)), "html", "en")
    assert text.count('<rect class="bar"') == 2 + 1  # the chart, and the span in the overview
    assert "37 in all; most, 32, within 1 h from 2026-11-20 08:00" in text


@given(
    st.lists(
        st.tuples(st.datetimes(*YEARS), st.integers(1, 10**6)),
        min_size=2, max_size=50,
    )
)  # fmt: skip
def test_any_course_is_counted_whole_in_few_bars(given_times: list[tuple[datetime, int]]) -> None:
    times = tuple((f"{at:%Y-%m-%dT%H:%M}", n) for at, n in sorted(given_times))
    found = course(Case(None, times=times))
    assert found is not None
    assert sum(found.counts) == sum(n for _, n in times)
    assert len(found.counts) <= 50
    assert "<svg" in chart(found, catalog.words("ja"))


def test_what_comes_from_an_input_cannot_become_markup() -> None:
    evil = "</title><script>alert(1)</script><img src=x onerror=y>\"'&"
    case = judge(make_case(CLOSED))
    at = Location(evil, 1)
    frame = ErrorFrame(626, 307, None, (), evil, at)
    block = ErrorBlock("labelled", "en", (frame,), at, evil)
    hostile = Diagnosis(
        Case(block, case.case.endpoints, case.case.probes, skipped=(Skipped(evil, evil),)),
        case.verdicts,
    )
    text = render(report(hostile, skipped=(Skipped(evil, evil),)), "html", "en")
    shown = Page(text)
    assert "script" not in {t for t, _ in shown.tags}
    assert "img" not in {t for t, _ in shown.tags}
    assert not any("onerror" in a for _, a in shown.tags)


def test_a_thousand_cases_stay_under_a_megabyte_and_the_rest_is_counted() -> None:
    one = judge(make_case(INTERCEPTED))
    text = render(report(*[one] * 1000), "html", "ja")
    assert len(text.encode()) < 1_000_000
    assert re.search(r"紙面の都合で.*: [1-9]", text)
    Page(text)


def test_one_case_with_endless_evidence_stays_under_a_megabyte() -> None:
    at = Location("mms.log", 1)
    frame = ErrorFrame(626, 307, None, (), "x" * 3_000_000, at)
    block = ErrorBlock("labelled", "en", (frame,), at, "y<" * 2_000_000)
    skipped = tuple(Skipped(f"file {n}", "not a text file") for n in range(50_000))
    text = render(report(judge(Case(block, skipped=skipped)), skipped=skipped), "html", "en")
    assert len(text.encode()) < 1_000_000


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_has_the_contrast_that_weak_eyes_need(colours: dict[str, str]) -> None:
    """WCAG 2.2, success criteria 1.4.3 (4.5:1 for text) and 1.4.11 (3:1 for lines)."""
    panels = ("page", "panel", "badpanel", "goodpanel", "warnpanel")
    for ink in ("ink", "soft", "bad", "good", "warn", "link"):
        for panel in panels:
            assert contrast(colours[ink], colours[panel]) >= 4.5, (ink, panel)
    for line in ("line", "good", "bad"):
        assert contrast(colours[line], colours["page"]) >= 3, line
        assert contrast(colours[line], colours["panel"]) >= 3, line


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2 glossary."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_evidence_names_its_origin() -> None:
    text = render(report(judge(make_case(CLOSED))), "html", "en")
    assert '<td class="origin">rs-us5-cloud.acronis.com:8443 TCP connection</td>' in text
