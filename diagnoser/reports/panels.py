"""The parts of one case on the page: pictures, and the tables that say the same in words."""

from __future__ import annotations

from html import escape

from diagnoser.catalog import Words
from diagnoser.model import Diagnosis, Evidence, ProbeResult, Skipped, Standing
from diagnoser.reports.chains import expected_links, received_links
from diagnoser.reports.courses import chart, course, described
from diagnoser.reports.outline import Section
from diagnoser.reports.phrasing import (
    control_word,
    ending,
    origin_word,
    outcome,
    spent,
    stage_word,
    translated,
)
from diagnoser.reports.pictures import Link, broken_stage, chain, ladder
from diagnoser.reports.reasons import reasons
from diagnoser.reports.wording import fact_label, fact_value

_TEXT_LIMIT = 20_000
_SKIPPED_LIMIT = 200


def table(heads: tuple[str, ...], rows: str, kind: str = "") -> str:
    """A table with one header row; on a telephone each row becomes a block."""
    cells = "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    kind = f"stack {kind}".rstrip()
    return f'<table class="{kind}"><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>'


def listed(section: Section) -> str:
    """A section of the outline under its heading."""
    kind = "ol" if section.ordered else "ul"
    lines = "".join(f"<li>{escape(x.strip())}</li>" for x in section.lines)
    return f"<h3>{escape(section.heading)}</h3><{kind}>{lines}</{kind}>"


def ladder_figure(probe: ProbeResult, words: Words) -> str:
    """The probe as a ladder, and in one sentence how far it came."""
    say = words.phrases
    broken = broken_stage(probe)
    caption = say["no_stage_failed"]
    if broken is not None:
        caption = f"{say['broke_here']}: {stage_word(broken.stage, words)}"
    return f"<figure>{ladder(probe, words)}<figcaption>{escape(caption)}</figcaption></figure>"


def course_figure(diagnosis: Diagnosis, words: Words) -> str:
    """How often the error came, when first and last; nothing where it came once."""
    case, say = diagnosis.case, words.phrases
    found = course(case)
    if found is None:
        return ""
    told = (
        f"{described(found, words)} · {say['first_seen']}: {case.first_seen or '?'} · "
        f"{say['last_seen']}: {case.last_seen or '?'}"
    )
    caption = f"<figcaption>{escape(told)}</figcaption>"
    drawn = f'<figure class="wide">{chart(found, words)}{caption}</figure>'
    return f"<h3>{escape(say['timeline'])}</h3>{drawn}"


def stage_table(probe: ProbeResult, words: Words) -> str:
    """The stages of a probe with all details, and the further exchanges."""
    say = words.phrases
    broken, alarm = broken_stage(probe), ' class="bad"'
    rows = "".join(
        f'<tr><th scope="row">{escape(stage_word(s.stage, words))}</th>'
        f"<td{alarm if s is broken else ''}>{escape(ending(s, words))}</td>"
        f'<td class="short">{escape(spent(s))}</td>'
        f"<td>{escape(translated(s.detail, words))}</td></tr>"
        for s in probe.stages
    )
    lines = [f"{say['proxy']}: {probe.proxy}"] if probe.proxy else []
    lines += [
        f"{say['addresses']}: {a.address} – {words.reasons[a.condition.value]}"
        for a in probe.addresses
    ]
    lines += [
        f"{say['controls']}: {control_word(c.control.value, words)} {c.question} → "
        f"{outcome(c, words)}"
        for c in probe.controls
    ]
    told = "".join(f"<li>{escape(x)}</li>" for x in lines)
    heads = (say["stage"], say["result"], say["time"], say["detail"])
    return table(heads, rows) + (f"<ul>{told}</ul>" if told else "")


def chains(diagnosis: Diagnosis, words: Words) -> str:
    """Each chain that arrived beside the one that should have; endpoints that show the same once.

    Nothing where no certificate arrived.
    """
    found: dict[tuple[tuple[Link, ...], tuple[Link, ...]], list[ProbeResult]] = {}
    for probe in diagnosis.case.probes:
        if received := received_links(probe, diagnosis, words):
            found.setdefault((received, expected_links(probe, words)), []).append(probe)
    say = words.phrases
    parts = []
    for (received, expected), probes in found.items():
        pictures = "".join(
            f"<figure><figcaption>{escape(title)}</figcaption>{chain(title, links, words)}</figure>"
            for title, links in (
                (say["received_chain"], received),
                (say["expected_chain"], expected),
            )
            if links
        )
        named = say["list_sign"].join(str(p.endpoint) for p in probes)
        parts.append(
            f"<h3>{escape(say['chain'])}: {escape(named)}</h3>"
            f'<div class="pictures">{pictures}</div>'
        )
    return "".join(parts)


def certificates(probe: ProbeResult, words: Words) -> str:
    """The received certificates with their whole names."""
    say = words.phrases
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
    return table(("#", say["subject"], say["issuer"], say["valid"]), rows) if rows else ""


def facts(evidence: tuple[Evidence, ...], words: Words) -> str:
    """Facts with value and origin."""
    say = words.phrases
    rows = "".join(
        f'<tr><th scope="row">{escape(fact_label(e, words))}</th>'
        f"<td>{escape(fact_value(e, words))}</td>"
        f'<td class="origin">{escape(origin_word(e.origin, words))}</td></tr>'
        for e in evidence
    )
    return table((say["fact"], say["value"], say["origin"]), rows, "facts")


def reason_table(key: str, diagnosis: Diagnosis, standing: Standing, words: Words) -> str:
    """The causes of one standing with the facts that put them there."""
    say = words.phrases
    found = reasons(diagnosis, standing, words)
    if not found:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(say["title_sign"].join(r.titles))}</th>'
        f"<td>{escape(' · '.join(r.facts)) or '–'}</td></tr>"
        for r in found
    )
    count = sum(len(r.titles) for r in found)
    return (
        f"<details><summary>{escape(say[key])} ({count})</summary>"
        f"{table((say['cause'], say['why']), rows, 'halves')}</details>"
    )


def raw(diagnosis: Diagnosis, words: Words) -> str:
    """What was read and received, as it came: the error's text and the certificates."""
    say = words.phrases
    parts = []
    block = diagnosis.case.block
    if block is not None and block.text.strip():
        parts.append(
            f"<h4>{escape(say['original_text'])} [{escape(str(block.at))}]</h4>"
            + _quoted(block.text.strip("\n"), "", words)
        )
    pems = [
        c.pem
        for p in diagnosis.case.probes
        for c in (p.tls.received_chain if p.tls else ())
        if c.pem
    ]
    if pems:
        text = "\n".join(p.strip() for p in dict.fromkeys(pems))
        parts.append(f"<h4>{escape(say['certificates'])}</h4>{_quoted(text, 'pem', words)}")
    if not parts:
        return ""
    return f"<details><summary>{escape(say['raw'])}</summary>{''.join(parts)}</details>"


def _quoted(text: str, kind: str, words: Words) -> str:
    shown = text[:_TEXT_LIMIT]
    note = "" if shown == text else f"<p>{escape(words.phrases['cut'])}</p>"
    return f'<pre class="{kind or "quoted"}">{escape(shown)}</pre>{note}'


def left_out(skipped: tuple[Skipped, ...], words: Words) -> str:
    """What was seen and left alone, with the reasons."""
    lines = "".join(
        f"<li>{escape(s.source)}: {escape(translated(s.reason, words))}</li>"
        for s in skipped[:_SKIPPED_LIMIT]
    )
    more = "<li>…</li>" if len(skipped) > _SKIPPED_LIMIT else ""
    heading = escape(words.phrases["skipped"])
    return f"<details><summary>{heading} ({len(skipped)})</summary><ul>{lines}{more}</ul></details>"
