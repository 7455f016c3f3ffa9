"""The case as one file to attach: reports, chain, transcript, excerpts, and a manifest.

Equal reports give equal bytes: files in a fixed order, one date, no machine in it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from diagnoser.errors import OutputError
from diagnoser.model import Report
from diagnoser.reports import document, markdown, page, text, transcript
from diagnoser.reports.cleaning import clean
from diagnoser.reports.excerpts import Excerpt, excerpts
from diagnoser.reports.shapes import Json, write_moment
from diagnoser.reports.wording import words_for

# Most ticket systems take 20 MB and more; mail into Autotask 10 MB a message, 5 MB a file.
LIMIT = 20_000_000
ADVISED = 5_000_000
_EPOCH = (1980, 1, 1, 0, 0, 0)
_REGULAR = 0o100644 << 16
_MOST_EXCERPTS = 200

_ABOUT = {
    "report.html": "the report to read and to print",
    "report.md": "the report to paste into a ticket",
    "report.txt": "the report to paste into a mail",
    "report.json": "the whole case; diagnoser scan report.json judges it again",
    "chain.pem": "the certificates that were received, in the order of the cases",
    "transcript.txt": "the handshakes in the manner of openssl s_client",
}


@dataclass(frozen=True, slots=True)
class Bundle:
    """A zip archive; ``left_out`` is how many excerpts its size did not allow."""

    data: bytes
    left_out: int

    @property
    def is_large(self) -> bool:
        """Some ticket systems and mail servers will refuse it."""
        return len(self.data) > ADVISED


def pack(report: Report, language: str, *, redacted: bool) -> Bundle:
    """The case bundle of ``report`` (redacted before, if it is to be).

    Raises :class:`~diagnoser.errors.OutputError` if it is larger than :data:`LIMIT` even without
    excerpts.
    """
    cleaned, words = clean(report), words_for(language)
    files = {
        "report.html": page.render(cleaned, words),
        "report.md": markdown.render(cleaned, words),
        "report.txt": text.render(cleaned, words),
        "report.json": document.render(cleaned, words),
    }
    if chain := _chain(cleaned):
        files["chain.pem"] = chain
    if told := transcript.render(cleaned):
        files["transcript.txt"] = told
    found = excerpts(cleaned)
    shown = found[:_MOST_EXCERPTS]
    while True:
        data = _zip(files, shown, cleaned, redacted=redacted)
        if len(data) <= LIMIT or not shown:
            break
        shown = shown[: len(shown) // 2]
    if len(data) > LIMIT:
        raise OutputError(
            f"the case bundle would have {len(data) // 1_000_000} MB, more than ticket systems take"
            f" ({LIMIT // 1_000_000} MB)",
            hint="scan fewer files at a time, or give the report alone: --format html --output",
        )
    return Bundle(data, len(found) - len(shown))


def _chain(report: Report) -> str:
    """Every received certificate once, each under its names."""
    parts: dict[str, str] = {}
    for diagnosis in report.diagnoses:
        for probe in diagnosis.case.probes:
            for depth, c in enumerate(probe.tls.received_chain if probe.tls else ()):
                if c.pem is None:
                    continue
                lines = (f"{probe.endpoint}, depth {depth}", f"s: {c.subject}", f"i: {c.issuer}")
                head = "".join(f"# {' '.join(x.split())}\n" for x in lines)
                parts.setdefault(c.pem, f"{head}{c.pem.strip()}\n")
    return "\n".join(parts.values())


def _zip(
    files: dict[str, str], shown: Sequence[Excerpt], report: Report, *, redacted: bool
) -> bytes:
    contents = {name: body.encode() for name, body in files.items()}
    contents |= {f"excerpts/{e.name}": e.text.encode() for e in shown}
    contents["manifest.json"] = _manifest(contents, report, redacted=redacted)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, body in contents.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # The system that wrote it would show in the bytes.
            entry.create_system = 3
            entry.external_attr = _REGULAR
            archive.writestr(entry, body)
    return buffer.getvalue()


def _manifest(contents: dict[str, bytes], report: Report, *, redacted: bool) -> bytes:
    files: list[Json] = [
        {
            "name": name,
            "about": _ABOUT.get(name, "lines of the log that the verdict rests on"),
            "bytes": len(body),
            "sha256": sha256(body).hexdigest(),
        }
        for name, body in contents.items()
    ]
    manifest: Json = {
        "tool": {"name": "diagnoser", "version": report.version},
        "generated_at": write_moment(report.generated_at),
        "redacted": redacted,
        "cases": [document.identify(d.case) for d in report.diagnoses],
        "files": files,
    }
    return (json.dumps(manifest, ensure_ascii=False, indent=2) + "\n").encode()
