"""The report as one HTML file: verdict first, pictures with their words, evidence folded.

Nothing in it runs or is fetched (the policy in its head forbids both), and everything that came
from an input is escaped. Too many cases are cut where the file would reach :data:`LIMIT`.
"""

from __future__ import annotations

from html import escape

from diagnoser.catalog import Words
from diagnoser.model import (
    Category,
    Condition,
    Diagnosis,
    Evidence,
    ProbeResult,
    Report,
    Skipped,
    StageResult,
    Standing,
)
from diagnoser.reports.chains import expected_links, received_links
from diagnoser.reports.document import identify
from diagnoser.reports.outline import Outline, Section, cause_evidence, outline
from diagnoser.reports.pictures import Span, chain, ending, ladder, spent, stage_word, timeline
from diagnoser.reports.stylesheet import STYLE
from diagnoser.reports.wording import fact_label, fact_value, standing_of, tell

LIMIT = 900_000
_TEXT_LIMIT = 20_000
_OVERVIEW_LIMIT = 200
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_TONES = {"OK": "fine", "!!": "fault", "!?": "open", "?": "open"}


def render(report: Report, words: Words) -> str:
    """The whole page, under 1 MB in UTF-8."""
    say = words.phrases
    cases: list[str] = []
    room = LIMIT
    for diagnosis in report.diagnoses:
        shown = _case(diagnosis, report, words)
        room -= len(shown.encode())
        if room < 0:
            break
        cases.append(shown)
    left = len(report.diagnoses) - len(cases)
    parts = [_overview(report, words), *cases]
    if left:
        parts.append(f"<p><strong>{escape(say['more_cases'])}: {left}</strong></p>")
    if report.skipped:
        parts.append(_left_out(report.skipped, words))
    title = say["report_title"]
    if len(report.diagnoses) == 1:
        title = tell(report.diagnoses[0], report, words).title
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(words.language)}">\n<head>\n'
        f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)} – diagnoser</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<header><p class="kind">diagnoser · {escape(say["report_title"])}</p>'
        f"<h1>{escape(title)}</h1></header>\n"
        f"<main>\n{''.join(parts)}\n</main>\n{_footer(report, words)}\n</body>\n</html>\n"
    )


def _footer(report: Report, words: Words) -> str:
    vantage = report.vantage
    told = (
        f"{words.phrases['vantage']}: {vantage.hostname} ({vantage.system}), "
        f"{report.generated_at:%Y-%m-%d %H:%M:%S} UTC, diagnoser {report.version}"
    )
    return f"<footer>{escape(told)}</footer>"


def _overview(report: Report, words: Words) -> str:
    """The cases as a table, and when they were seen; nothing for a single case without times."""
    say = words.phrases
    parts = []
    told = [(d, tell(d, report, words)) for d in report.diagnoses[:_OVERVIEW_LIMIT]]
    if len(report.diagnoses) > 1:
        rows = "".join(
            f'<tr><th scope="row"><a href="#case-{number}">{escape(w.title)}</a></th>'
            f'<td class="short">{escape(say[standing_of(d).value])}</td>'
            f"<td>{escape(', '.join(map(str, d.case.endpoints)) or '–')}</td>"
            f'<td class="short">{d.case.count}</td></tr>'
            for number, (d, w) in enumerate(told, 1)
        )
        heads = (say["cause"], say["standing"], say["endpoint"], say["times"])
        parts.append(f"<section><h2>{escape(say['overview'])}</h2>{_table(heads, rows)}</section>")
    spans = tuple(
        Span(w.title, d.case.first_seen or "", d.case.last_seen or "", d.case.count)
        for d, w in told
    )
    if drawn := timeline(spans[:30], words):
        parts.append(f"<figure><figcaption>{escape(say['timeline'])}</figcaption>{drawn}</figure>")
    return "".join(parts)


def _case(diagnosis: Diagnosis, report: Report, words: Words) -> str:
    say = words.phrases
    told = outline(diagnosis, report, words)
    sections = {s.key: s for s in told.sections}
    number = report.diagnoses.index(diagnosis) + 1
    parts = [_verdict(diagnosis, told, report, words)]
    parts += [_listed(sections[k]) for k in ("remedy", "error", "endpoint") if k in sections]
    for probe in diagnosis.case.probes:
        parts.append(_probe(probe, diagnosis, words))
    if evidence := cause_evidence(diagnosis):
        parts.append(f"<h3>{escape(say['evidence'])}</h3>{_evidence(evidence, words)}")
    if "also" in sections:
        parts.append(_listed(sections["also"]))
    parts.append(_ruled_out(diagnosis, words))
    parts += [_listed(sections[k]) for k in ("open",) if k in sections]
    if "reproduce" in sections:
        lines = escape("\n".join(sections["reproduce"].lines))
        parts.append(f"<h3>{escape(say['reproduce'])}</h3><pre>{lines}</pre>")
    parts.append(_raw(diagnosis, words))
    if diagnosis.case.skipped:
        parts.append(_left_out(diagnosis.case.skipped, words))
    return f'\n<article id="case-{number}">{"".join(parts)}</article>'


def _verdict(diagnosis: Diagnosis, told: Outline, report: Report, words: Words) -> str:
    cause, say = diagnosis.cause, words.phrases
    wording = tell(diagnosis, report, words)
    identity = "–" if cause is None or wording.is_open else cause.rule
    category = (Category.UNKNOWN if cause is None else cause.category).value
    facts = " · ".join(
        f"{escape(name)}: <code>{escape(value)}</code>"
        for name, value in (
            (say["cause"], identity),
            (say["category"], category),
            (say["standing"], say[standing_of(diagnosis).value]),
            ("ID", identify(diagnosis.case)),
        )
    )
    return (
        f'<section class="verdict {_TONES[told.mark]}">'
        f'<h2><span class="mark">{escape(told.mark)}</span>{escape(wording.title)}</h2>'
        f'<p>{escape(told.summary)}</p><p class="facts">{facts}</p></section>'
    )


def _listed(section: Section) -> str:
    kind = "ol" if section.ordered else "ul"
    lines = "".join(f"<li>{escape(x.strip())}</li>" for x in section.lines)
    return f"<h3>{escape(section.heading)}</h3><{kind}>{lines}</{kind}>"


def _probe(probe: ProbeResult, diagnosis: Diagnosis, words: Words) -> str:
    say = words.phrases
    rows = "".join(
        f'<tr><th scope="row">{escape(stage_word(s.stage, words))}</th>'
        f"<td{_alarm(s is _broken(probe))}>{escape(ending(s, words))}</td>"
        f'<td class="short">{escape(spent(s))}</td><td>{escape(s.detail)}</td></tr>'
        for s in probe.stages
    )
    broken = _broken(probe)
    caption = say["no_stage_failed"]
    if broken is not None:
        caption = f"{say['broke_here']}: {stage_word(broken.stage, words)}"
    heads = (say["stage"], say["result"], say["time"], say["detail"])
    parts = [
        f"<h3>{escape(say['probe'])}: {escape(str(probe.endpoint))}</h3>",
        f"<figure><figcaption>{escape(say['ladder'])} ({escape(caption)})</figcaption>",
        f"{ladder(probe, words)}</figure>{_table(heads, rows)}",
    ]
    if probe.tls and probe.tls.received_chain:
        received = received_links(probe, diagnosis, words)
        expected = expected_links(probe, words)
        pictures = "".join(
            f"<figure><figcaption>{escape(title)}</figcaption>{chain(title, links, words)}</figure>"
            for title, links in (
                (say["received_chain"], received),
                (say["expected_chain"], expected),
            )
            if links
        )
        parts.append(f'<div class="pictures">{pictures}</div>{_certificates(probe, words)}')
    lines = [f"{say['proxy']}: {probe.proxy}"] if probe.proxy else []
    lines += [
        f"{say['addresses']}: {a.address} {words.reasons[a.condition.value]}"
        for a in probe.addresses
    ]
    lines += [
        f"{say['controls']}: {c.control.value} {c.question} → {words.reasons[c.condition.value]}"
        for c in probe.controls
    ]
    if lines:
        parts.append("<ul>" + "".join(f"<li>{escape(x)}</li>" for x in lines) + "</ul>")
    return "".join(parts)


def _broken(probe: ProbeResult) -> StageResult | None:
    return next(
        (s for s in probe.stages if s.condition not in (Condition.MET, Condition.NOT_REACHED)), None
    )


def _alarm(wanted: bool) -> str:
    return ' class="bad"' if wanted else ""


def _certificates(probe: ProbeResult, words: Words) -> str:
    say = words.phrases
    heads = ("#", say["subject"], say["issuer"], say["valid"])
    rows = ""
    for depth, c in enumerate(probe.tls.received_chain if probe.tls else ()):
        valid = (
            f"{c.not_before:%Y-%m-%d} – {c.not_after:%Y-%m-%d}"
            if c.not_before and c.not_after
            else "?"
        )
        rows += (
            f'<tr><th scope="row">{depth}</th><td>{escape(str(c.subject))}</td>'
            f"<td>{escape(str(c.issuer))}</td><td>{valid}</td></tr>"
        )
    return _table(heads, rows)


def _evidence(evidence: tuple[Evidence, ...], words: Words) -> str:
    say = words.phrases
    rows = "".join(
        f'<tr><th scope="row">{escape(fact_label(e, words))}</th>'
        f'<td>{escape(fact_value(e, words))}</td><td class="origin">{escape(e.origin)}</td></tr>'
        for e in evidence
    )
    return _table((say["fact"], say["value"], say["origin"]), rows)


def _ruled_out(diagnosis: Diagnosis, words: Words) -> str:
    """Every cause that the facts exclude, with the facts."""
    say = words.phrases
    rows = ""
    for verdict in diagnosis.verdicts:
        if verdict.finding.standing is not Standing.RULED_OUT:
            continue
        why = "; ".join(
            f"{fact_label(e, words)}: {fact_value(e, words)} [{e.origin}]"
            for e in dict.fromkeys(verdict.finding.evidence)
        )
        title = words.causes[verdict.rule].title
        rows += f'<tr><th scope="row">{escape(title)}</th><td>{escape(why or "–")}</td></tr>'
    if not rows:
        return ""
    table = _table((say["cause"], say["why"]), rows)
    return f"<details><summary>{escape(say['ruled_out'])}</summary>{table}</details>"


def _raw(diagnosis: Diagnosis, words: Words) -> str:
    """What was read and received, as it came: the error's text and the certificates."""
    say = words.phrases
    parts = []
    block = diagnosis.case.block
    if block is not None and block.text.strip():
        text = block.text.strip("\n")
        shown = text[:_TEXT_LIMIT]
        note = "" if shown == text else f"<p>{escape(say['cut'])}</p>"
        parts.append(
            f"<h4>{escape(say['original_text'])} [{escape(str(block.at))}]</h4>"
            f"<pre>{escape(shown)}</pre>{note}"
        )
    pems = [
        c.pem
        for p in diagnosis.case.probes
        for c in (p.tls.received_chain if p.tls else ())
        if c.pem
    ]
    if pems:
        shown = "\n".join(p.strip() for p in dict.fromkeys(pems))[:_TEXT_LIMIT]
        parts.append(f"<h4>{escape(say['certificates'])}</h4><pre>{escape(shown)}</pre>")
    if not parts:
        return ""
    return f"<details><summary>{escape(say['raw'])}</summary>{''.join(parts)}</details>"


def _left_out(skipped: tuple[Skipped, ...], words: Words) -> str:
    lines = "".join(f"<li>{escape(s.source)}: {escape(s.reason)}</li>" for s in skipped[:200])
    heading = escape(words.phrases["skipped"])
    return f"<details><summary>{heading} ({len(skipped)})</summary><ul>{lines}</ul></details>"


def _table(heads: tuple[str, ...], rows: str) -> str:
    cells = "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    return f'<table class="stack"><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>'
