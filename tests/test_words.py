"""The languages: nothing is left in English, nothing translated is dead, blanks agree."""

from __future__ import annotations

import ast
import errno
import os
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from casebook import make_case

from diagnoser import catalog
from diagnoser.diagnosis import group, judge, open_case
from diagnoser.evidence import read_transcripts
from diagnoser.grammar import read_blocks
from diagnoser.model import Case, Control, Diagnosis, Evidence, Report, Role, Stage, Vantage
from diagnoser.probing import Trust
from diagnoser.reading.encodings import decode
from diagnoser.reports import render
from diagnoser.reports.measuring import WIDTH, columns
from diagnoser.reports.phrasing import origin_word, translated, valued
from diagnoser.reports.wording import fact_value

ROOT = Path(__file__).parents[1]
JAPANESE = catalog.words("ja")
OTHERS = [x for x in catalog.LANGUAGES if x != "en"]
NOW = datetime(2026, 11, 23, 19, 40, tzinfo=UTC)
# Three words in a row of which one only ever joins others: an English sentence.
_SENTENCE = re.compile(r"[A-Za-z][a-z']*(?: [A-Za-z][a-z']*){2,}")
_JOINING = {
    "the", "a", "an", "of", "is", "are", "not", "no", "to", "was", "were", "be", "by", "for",
    "with", "from", "in", "into", "it", "its", "this", "that", "more", "than", "could", "which",
}  # fmt: skip


def report(*diagnoses: Diagnosis) -> Report:
    return Report("0.0.0", NOW, Vantage("machine", "Linux", "system store"), diagnoses)


def of_the_casebook() -> Iterator[tuple[str, Case, str]]:
    for file in sorted((ROOT / "tests/cases").glob("*.toml")):
        for section, tables in tomllib.loads(file.read_text("utf-8")).items():
            for name, table in tables.items():
                yield f"{file.stem} {section}.{name}", make_case(table), table.get("text", "")


def of_the_samples() -> Iterator[tuple[str, Case, str]]:
    for file in sorted((ROOT / "sample_logs").iterdir()):
        if file.suffix != ".md":
            text = decode(file.read_bytes())
            for case in group(open_case(b) for b in read_blocks(text, file.name).blocks):
                yield file.name, case, text


def of_the_transcripts() -> Iterator[tuple[str, Case, str]]:
    trust = Trust.load(None)
    for file in sorted((ROOT / "tests/transcripts").glob("*.txt")):
        text = decode(file.read_bytes())
        for probe in read_transcripts(text, file.name, NOW, trust):
            yield file.name, Case(None, (probe.endpoint,), (probe,)), text


@cache
def quoted_by_the_catalogue() -> str:
    """What stands in a Japanese report as its source wrote it: citations, product and menu names."""
    rows = (*catalog.errors(), *catalog.recipes(), *catalog.interceptors(), *catalog.hosts())
    told = [str(getattr(r, n, "")) for r in rows for n in ("source", "title", "name", "vendor")]
    told = [t for r, t in zip([r for r in rows for _ in range(4)], told, strict=True)
            if t and t != getattr(r, "title", None)]  # fmt: skip
    words = (ROOT / "diagnoser/data/words/ja.toml").read_text("utf-8")
    return "\n".join([*told, words.partition("\n[sentence]\n")[0]])


def english_in(text: str, case: Case, source: str = "") -> list[str]:
    """The English sentences of a report that neither the input nor the catalogue says."""
    chains = [p.tls.received_chain for p in case.probes if p.tls]
    names = [str(n) for chain in chains for c in chain for n in (c.subject, c.issuer)]
    names += [str(n) for p in case.probes if p.tls for n in p.tls.client_ca_names]
    allowed = quoted_by_the_catalogue() + " ".join(" ".join((source, *names)).split())
    return [
        found
        for found in _SENTENCE.findall(" ".join(text.split()))
        if set(found.lower().split()) & _JOINING and not is_quoted(found, allowed)
    ]


def is_quoted(found: str, allowed: str) -> bool:
    """Whether it stands in what may be quoted, but for a word or two that stood before it."""
    words = found.split()
    return any(" ".join(words[n:]) in allowed for n in range(min(3, len(words) - 1)))


@pytest.mark.parametrize("source", [of_the_casebook, of_the_samples, of_the_transcripts])
def test_no_english_sentence_is_left_in_a_japanese_report(source: object) -> None:
    assert callable(source)
    left = {}
    for name, case, text in source():
        shown = render(report(judge(case)), "markdown", "ja")
        # Markdown writes signs out; the words between them stand.
        plain = re.sub(r"\\(.)", r"\1", shown).replace("&#64;", "@")
        if found := english_in(plain, case, text):
            left[name] = found
    assert left == {}


def test_the_search_for_english_finds_it() -> None:
    case = make_case({})
    assert english_in("理由: the port is closed", case) == ["the port is closed"]
    assert english_in("openssl s_client -connect a:1", case) == []


@pytest.mark.parametrize("language", OTHERS)
def test_sentences_keep_their_blanks(language: str) -> None:
    for english, told in catalog.words(language).sentences.items():
        wanted = sorted(re.findall(r"\{\w+\}", english))
        assert sorted(re.findall(r"\{\w+\}", told)) == wanted, english
        assert told != english


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_still_said_somewhere(language: str) -> None:
    """A sentence that the code no longer says would be a translation of nothing."""
    whole, parts = said_by_the_code()
    dead = [
        s
        for s in catalog.words(language).sentences
        if flat(s) not in whole and not any(p in s for p in parts)
    ]
    assert dead == [], "\n".join(dead)


@cache
def said_by_the_code() -> tuple[str, frozenset[str]]:
    """All strings of the code and of two tables, and the long parts of those with blanks."""
    told = [os.strerror(n).lower() for n in (errno.ENOENT, errno.EACCES, errno.EISDIR)]
    parts: set[str] = set()
    for file in (ROOT / "diagnoser").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                pieces = [str(v.value) for v in node.values if isinstance(v, ast.Constant)]
                parts |= {p.strip(" :;,") for p in pieces if len(p) > 15}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                told.append(node.value)
    tables = ("endpoints", "errors")
    told += [(ROOT / f"diagnoser/data/{name}.toml").read_text("utf-8") for name in tables]
    return "\n".join(told), frozenset(parts)


def flat(sentence: str) -> str:
    """The longest part of a sentence without blanks, as the code writes it."""
    return max(re.split(r"\{\w+\}", sentence), key=len).strip(" :;,")


@pytest.mark.parametrize("language", catalog.LANGUAGES)
def test_every_member_has_a_name(language: str) -> None:
    words = catalog.words(language)
    for stage in Stage:
        assert words.phrases[f"stage_{stage.value}"]
    for role in Role:
        assert words.phrases[f"role_{role.value}"]
    for control in Control:
        assert words.phrases[f"control_{control.value}"], control


@pytest.mark.parametrize(
    ("english", "japanese"),
    [
        ("no proxy", "プロキシなし"),
        ("451 bytes sent, 0 received", "送信 451 バイト、受信 0 バイト"),
        (
            "close_notify(0), 451 bytes sent, 0 received",
            "close_notify(0)、送信 451 バイト、受信 0 バイト",
        ),
        ("the login was refused; offers Basic", "認証が拒否されました; 対応方式: Basic"),
        ("667/13: cut off before the message", "667/13: メッセージの前で切れています"),
        ("an answer of a server", "an answer of a server"),
        ("x bytes sent, y received", "x bytes sent, y received"),
    ],
)
def test_sentences_are_translated_whole_with_what_they_quote(english: str, japanese: str) -> None:
    assert translated(english, JAPANESE) == japanese
    assert translated(english, catalog.words("en")) == english


def test_values_and_origins_are_translated_as_far_as_they_are_ours() -> None:
    assert valued("192.0.2.1 connection-refused", JAPANESE) == "192.0.2.1 接続拒否"
    assert valued("2026-11-23 12:00:00.5+00:00", JAPANESE) == "2026-11-23 12:00:00 UTC"
    assert origin_word("a.example:443 handshake", JAPANESE) == "a.example:443 TLS ハンドシェイク"
    assert origin_word("mms.log:12", JAPANESE) == "mms.log:12"
    code = Evidence("error_code", "Go/dial tcp a connection was refused", "mms.log:1")
    assert fact_value(code, JAPANESE) == "Go/dial tcp 接続が拒否された"


def test_a_hostile_text_is_not_searched_for_ever() -> None:
    for text in ("fields are cut off inside the value of " * 200, "a: " * 5000, "; " * 5000):
        assert translated(text, JAPANESE)


def test_japanese_text_is_set_by_its_rules() -> None:
    """No line is too wide, none begins with a closing sign (JIS X 4051, kinsoku)."""
    for _, case, _ in of_the_casebook():
        for line in render(report(judge(case)), "text", "ja").splitlines():
            # Commands and names of certificates are not broken, so that they can be copied.
            assert columns(line) <= WIDTH or re.match(r" {6,}(?:openssl|\d+ s:|i:) ?", line)
            assert not line.strip().startswith(("、", "。", "）", "」", ")", "ー")), line
