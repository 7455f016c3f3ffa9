"""The report as one HTML file: verdict first, pictures with their words, evidence folded.

Nothing in it runs or is fetched (the policy in its head forbids both), and everything that came
from an input is escaped. Too many cases are cut where the file would reach :data:`LIMIT`.
"""

from __future__ import annotations

from html import escape

from diagnoser.catalog import Words
from diagnoser.model import Category, Diagnosis, Report, Standing
from diagnoser.reports.document import identify
from diagnoser.reports.outline import Outline, cause_evidence, outline
from diagnoser.reports.overview import overview
from diagnoser.reports.panels import (
    certificates,
    chains,
    course_figure,
    facts,
    ladder_figure,
    left_out,
    listed,
    raw,
    reason_table,
    stage_table,
    table,
)
from diagnoser.reports.pictures import Span, broken_stage, timeline
from diagnoser.reports.stylesheet import STYLE
from diagnoser.reports.unnamed import name_unnamed
from diagnoser.reports.wording import standing_of, tell

LIMIT = 900_000
_OVERVIEW_LIMIT = 200
_SPANS_LIMIT = 30
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_TONES = {"OK": ("fine", "✓"), "!!": ("fault", "✗"), "!?": ("open", "?"), "?": ("open", "?")}


def render(report: Report, words: Words) -> str:
    """The whole page, under 1 MB in UTF-8."""
    say = words.phrases
    cases: list[str] = []
    overview = _overview(report, words)
    tail = left_out(report.skipped, words) if report.skipped else ""
    room = LIMIT - len((overview + tail).encode())
    for number, diagnosis in enumerate(report.diagnoses, 1):
        shown = _case(number, diagnosis, report, words)
        room -= len(shown.encode())
        if room < 0:
            break
        cases.append(shown)
    parts = [overview, *cases]
    if left := len(report.diagnoses) - len(cases):
        parts.append(f'<p class="more">{escape(say["more_cases"])}: {left}</p>')
    parts.append(tail)
    title = say["report_title"]
    if len(report.diagnoses) == 1:
        title = f"{tell(report.diagnoses[0], report, words).title} – {title}"
    whole = (
        f'<!DOCTYPE html>\n<html lang="{escape(words.language)}">\n<head>\n'
        f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)} – diagnoser</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"{_header(report, words)}\n<main>\n{''.join(parts)}\n</main>\n</body>\n</html>\n"
    )
    named = [e for d in report.diagnoses for e in d.case.endpoints if e.port == 0]
    return name_unnamed(whole, dict.fromkeys(named), words)


def _header(report: Report, words: Words) -> str:
    """What this is, and who looked when: a reader who was not there asks that first."""
    vantage, say = report.vantage, words.phrases
    told = (
        f"{say['vantage']}: {vantage.hostname} ({vantage.system}) · "
        f"{report.generated_at:%Y-%m-%d %H:%M:%S} UTC · diagnoser {report.version}"
    )
    return f"<header><h1>{escape(say['report_title'])}</h1><p>{escape(told)}</p></header>"


def _overview(report: Report, words: Words) -> str:
    """The cases as a table, and when they were seen; nothing for a single case without times."""
    say = words.phrases
    told = [(d, tell(d, report, words)) for d in report.diagnoses[:_OVERVIEW_LIMIT]]
    parts = []
    if len(report.diagnoses) > 1:
        found = overview(report, words)
        same = f"<p>{escape(found.same)}</p>" if found and found.same else ""
        last = {n: r.last for n, r in enumerate(found.rows if found else (), 1)}
        rows = "".join(
            f'<tr><th scope="row"><a href="#case-{number}">{escape(w.title)}</a></th>'
            f'<td class="short">{_pill(outline(d, report, words).mark, d, words)}</td>'
            f"<td>{escape(', '.join(map(str, d.case.endpoints)) or '–')}</td>"
            f'<td class="short" data-label="{escape(say["count"])}">{d.case.count}</td>'
            f'<td class="short" data-label="{escape(say["last_seen"])}">'
            f"{escape(last[number] or '–')}</td></tr>"
            for number, (d, w) in enumerate(told, 1)
        )
        heads = (say["cause"], say["standing"], say["endpoint"], say["count"], say["last_seen"])
        parts.append(f"<h2>{escape(say['overview'])}</h2>{same}{table(heads, rows)}")
    spans = tuple(
        Span(w.title, d.case.first_seen or "", d.case.last_seen or "", d.case.count)
        for d, w in told
    )
    if drawn := timeline(spans[:_SPANS_LIMIT], words):
        caption = f"<figcaption>{escape(say['timeline'])}</figcaption>"
        parts.append(f"<figure>{caption}{drawn}</figure>")
    return f'<section class="overview">{"".join(parts)}</section>' if parts else ""


def _case(number: int, diagnosis: Diagnosis, report: Report, words: Words) -> str:
    say = words.phrases
    told = outline(diagnosis, report, words)
    sections = {s.key: s for s in told.sections}
    probes = diagnosis.case.probes
    # The connection that broke is the one to look at; the others follow.
    chief = next((p for p in probes if broken_stage(p)), probes[0] if probes else None)
    remedy = listed(sections["remedy"]) if "remedy" in sections else ""
    parts = [_verdict(diagnosis, told, report, words)]
    if chief is None:
        parts.append(remedy)
    else:
        drawn = f"<h3>{escape(say['ladder'])}</h3>{ladder_figure(chief, words)}"
        parts.append(f'<div class="pair"><div>{remedy}</div><div>{drawn}</div></div>')
    parts.append(chains(diagnosis, words))
    if evidence := cause_evidence(diagnosis):
        parts.append(f"<h3>{escape(say['evidence'])}</h3>{facts(evidence, words)}")
    parts += [listed(sections[k]) for k in ("also", "error") if k in sections]
    parts.append(course_figure(diagnosis, words))
    parts += [listed(sections[k]) for k in ("endpoint",) if k in sections]
    for probe in probes:
        parts.append(f"<h3>{escape(say['probe'])}: {escape(str(probe.endpoint))}</h3>")
        if probe is not chief:
            parts.append(ladder_figure(probe, words))
        parts += [stage_table(probe, words), certificates(probe, words)]
    parts.append(reason_table("ruled_out", diagnosis, Standing.RULED_OUT, words))
    parts.append(reason_table("open", diagnosis, Standing.UNDECIDED, words))
    if "reproduce" in sections:
        lines = escape("\n".join(sections["reproduce"].lines))
        parts.append(f"<h3>{escape(say['reproduce'])}</h3><pre>{lines}</pre>")
    parts.append(raw(diagnosis, words))
    if diagnosis.case.skipped:
        parts.append(left_out(diagnosis.case.skipped, words))
    return f'\n<article id="case-{number}">{"".join(parts)}</article>'


def _verdict(diagnosis: Diagnosis, told: Outline, report: Report, words: Words) -> str:
    cause, say = diagnosis.cause, words.phrases
    wording = tell(diagnosis, report, words)
    identity = "–" if cause is None or wording.is_open else cause.rule
    category = (Category.UNKNOWN if cause is None else cause.category).value
    named = " · ".join(
        f"{escape(name)}: <code>{escape(value)}</code>"
        for name, value in (
            (say["cause"], identity),
            (say["category"], category),
            ("ID", identify(diagnosis.case)),
        )
    )
    return (
        f'<section class="verdict {_TONES[told.mark][0]}">'
        f"<p>{_pill(told.mark, diagnosis, words)}</p><h2>{escape(wording.title)}</h2>"
        f'<p>{escape(told.summary)}</p><p class="named">{named}</p></section>'
    )


def _pill(mark: str, diagnosis: Diagnosis, words: Words) -> str:
    """The standing with a sign before it, so that it is never told by colour alone."""
    tone, sign = _TONES[mark]
    word = words.phrases[standing_of(diagnosis).value]
    return f'<span class="pill {tone}"><span aria-hidden="true">{sign}</span> {escape(word)}</span>'
