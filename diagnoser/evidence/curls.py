"""``curl -v`` transcripts: what support and users run where there is no openssl.

Here is told what such a text is and where one run ends; a run is made into a probe in
:mod:`~diagnoser.evidence.curl_probes`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from diagnoser.catalog import in_domain
from diagnoser.deferral import pattern
from diagnoser.evidence.curl_commands import asks
from diagnoser.evidence.pastes import JOINT, tidy

if TYPE_CHECKING:
    from datetime import datetime

    from diagnoser.model import ProbeResult

_MOST_RUNS = 500
_LONGEST_RUN = 256 * 1024
_LONGEST_LINE = 4096

_SAYS = (
    r"(?:(?:Immediate connect fail for|Trying) \[?[0-9A-Fa-f]|Connected to \S{1,255} \("
    r"|Established connection to |(?:Could not|Couldn't) resolve (?:host|proxy)"
    r"|connect to \S{1,60} port \d{1,5} |CONNECT tunnel |About to connect\(\) to )"
)
_EVIDENT = pattern(rf"(?:^|[\d\-:>\s\]])\*[ ]{{1,3}}{_SAYS}")
_ENDED = pattern(r"(?:^|[\d\-][ \t]{0,8}\d)curl: \(\d{1,3}\)", re.MULTILINE)
# A failure that says itself whom it is about.
_NAMING = pattern(
    r"^curl: \(\d{1,3}\) [^\n]{0,200}?(?:Failed to connect to|resolve host:?|in connection to"
    r"|SOCKS5 connection to) '?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]{0,252})",
    re.MULTILINE,
)
_CONTINUED = pattern(rf"(?<=[ \t]){JOINT}")
# Before a line of curl's: the progress meter, times (--trace-time), numbers of transfers.
_BEFORE = pattern(
    r"^(?:[ \t]*\d[\d \t.kMGT:%\-]{20,160}(?=\*|curl: \()"
    r"|\d\d:\d\d:\d\d\.\d{3,6} (?:\[[\d\-x]{1,12}\] )?(?=[*<>={}]))",
    re.MULTILINE,
)
_BEGINS = pattern(
    r"\* +(?:Trying |Immediate connect|Host |Hostname |About to connect|Couldn't resolve"
    r"|Could not resolve|Uses proxy env|Added |Connecting to hostname)"
)
_OVER = pattern(
    r"curl: \(\d|\* (?:Closing connection|Connection #\d+ to host|shutting down connection"
    r"|Issue another request)"
)


def is_curl(text: str) -> bool:
    """Whether ``text`` holds output of curl that says whom it is about; a command alone is none.

    Without its command, a failure is about an endpoint only if it names a host of Acronis.
    """
    if _EVIDENT.search(text) is not None:
        return True
    if _ENDED.search(text) is None:
        return False
    return asks(text) or any(in_domain(m["host"]) for m in _NAMING.finditer(text))


def read_curls(text: str, source: str, at: datetime) -> tuple[ProbeResult, ...]:
    """One probe for each run of curl in ``text`` that was about TLS, in its order. Never raises.

    ``at`` is when the file was written; the ``Date`` of the server's answer is preferred.
    """
    if not is_curl(text):
        return ()
    # Most texts hold no run, and its grammar takes longer to build than they take to read.
    from diagnoser.evidence.curl_probes import probe_of  # noqa: PLC0415

    runs = _runs(_straightened(text))[:_MOST_RUNS]
    found = (probe_of(run[:_LONGEST_RUN], above, source, at) for run, above in runs)
    return tuple(p for p in found if p is not None)


def _straightened(text: str) -> str:
    """Every line of curl begins with its sign, and a command stands in one line."""
    bare = _CONTINUED.sub(" ", tidy(text.replace("\r", "\n")))
    return _BEFORE.sub("", bare)


def _runs(text: str) -> list[tuple[str, str]]:
    """Cut where the next command stands, or where curl begins anew after its end. Each run has
    beside it the line of the command above it, if it has none of its own: a command may have
    several URLs, or be led on by an answer."""
    found: list[list[str]] = [[]]
    above = [""]
    begun = over = ended = False
    given = ""
    for whole in text.split("\n"):
        line = whole[:_LONGEST_LINE].lstrip(" \t")
        command = line[:1] not in "*<{}" and asks(line)
        ends = line.startswith("curl: (")
        if (command and begun) or (over and _BEGINS.match(line)) or (ends and ended):
            found.append([])
            above.append("" if command else given)
            begun = over = ended = False
        given = line if command else given
        begun = begun or command or ends or line.startswith("* ")
        ended = ended or ends
        over = over or _OVER.match(line) is not None
        found[-1].append(line)
    return [("\n".join(lines), line) for lines, line in zip(found, above, strict=True)]
