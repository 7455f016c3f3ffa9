"""The files of record: some samples in every format, and the manual page.

``python tests/goldens.py`` writes them anew; look at the difference before it is kept.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from casebook import make_case  # noqa: E402

from diagnoser.cli.commands import app  # noqa: E402
from diagnoser.cli.manual import render as render_manual  # noqa: E402
from diagnoser.diagnosis import group, judge, open_case  # noqa: E402
from diagnoser.grammar import read_blocks  # noqa: E402
from diagnoser.model import Case, Report, Vantage  # noqa: E402
from diagnoser.reports import render  # noqa: E402

GOLDEN = ROOT / "tests" / "golden"
MANUAL = ROOT / "diagnoser" / "data" / "diagnoser.1"
FORMATS = {"text": "txt", "markdown": "md", "json": "json", "html": "html"}
# What each endpoint of a sample shows; the keys are those of the casebook.
SAMPLES: dict[str, dict[str, Any] | None] = {
    "closed-port-en": {"stages": {"connect": ["connection-refused", 111]}},
    "labelled-ja-ssl-write": {
        "like": "fortinet",
        "minted": True,
        "stages": {"verify": ["certificate-rejected", 19]},
    },
    "licence-sync-en": {"like": "genuine"},
    "storage-refused-en": {
        "like": "genuine-storage",
        "sent": True,
        "alert": 48,
        "stages": {"handshake": ["client-certificate-refused", 48]},
    },
    "not-network-vss-en": None,
}


def goldens() -> Iterator[tuple[Path, str]]:
    """Every file of record with what belongs into it."""
    for name, shown in SAMPLES.items():
        report, language = report_of(name, shown)
        for form, suffix in FORMATS.items():
            yield GOLDEN / f"{name}.{suffix}", render(report, form, language)
    yield MANUAL, render_manual(app)


def report_of(name: str, shown: dict[str, Any] | None) -> tuple[Report, str]:
    """A sample with probes of the casebook at a fixed time and place, and its language."""
    source = f"{name}.txt"
    text = (ROOT / "sample_logs" / source).read_text("utf-8")
    blocks = read_blocks(text, source).blocks
    cases = [_probed(case, shown) for case in group(open_case(b) for b in blocks)]
    at = datetime(2026, 11, 23, 19, 40, tzinfo=UTC)
    vantage = Vantage("machine", "Linux 6.1", "system store")
    return Report("0.0.0", at, vantage, tuple(map(judge, cases))), blocks[0].language or "en"


def _probed(case: Case, shown: dict[str, Any] | None) -> Case:
    if shown is None:
        return case
    probes = tuple(
        replace(make_case({**shown, "endpoint": str(e)}).probes[0], endpoint=e)
        for e in case.endpoints
    )
    return replace(case, probes=probes)


def main() -> None:
    """Write every file that differs, and name it."""
    for path, text in goldens():
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8", newline="\n")
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
