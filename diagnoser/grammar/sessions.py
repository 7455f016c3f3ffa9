"""Lines of the storage client's log: a gateway that could not be reached or would not talk.

::

    block   = tls session / tls / session
    tls     = prefix client "TLS connect failed with error '" text "'"
    session = prefix client [ "connected to" SP address ":" port ", but" ]
              "failed to start a session with a gateway: -" number SP "(" text ")"
    prefix  = stamp SP thread SP severity 8HEXDIG ":"      ; the number is always 0 here
    client  = "cl#" number ":"

The number is one of the public pcs-io library (pcs_error.h), which agents report as module 667.
The TLS line stands above the session that it ended, and is its cause (KB 62241); lines of other
clients, or about other things, may stand between the two.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from diagnoser.grammar.forms import SPAN, Framed
from diagnoser.grammar.moments import STAMP, iso_time
from diagnoser.grammar.syntax import refuse
from diagnoser.model import ErrorBlock, ErrorFrame, Field, Location, RawBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagnoser.reading.framing import Page

NAME = "session"
TLS = "TLS connect failed with error"
SESSION = "failed to start a session with a gateway"
ANCHORS = (TLS, SESSION)

_PCS = 667
_CLIENT = r"(?P<client>cl#\d{1,10}): "
_HIT = re.compile(f"{TLS} '|{SESSION}: -[0-9]".replace(" ", "[ \u00a0]"))
_TLS = re.compile(rf"{_CLIENT}(?P<said>{TLS} '(?P<error>.*))")
_SESSION = re.compile(
    rf"{_CLIENT}(?P<said>(?:connected to (?P<host>\[[0-9a-fA-F:.%]{{2,60}}\]|[^\s:\[\],]{{1,253}}|"
    rf"[0-9a-fA-F:.]{{2,60}}):(?P<port>\d{{1,5}}),? but )?{SESSION}: -(?P<code>\d{{1,5}})\b.*)"
)
_STAMP = re.compile(STAMP)
_OPENSSL = re.compile(r"error:([0-9A-Fa-f]{8}):")


def frame(page: Page) -> Iterator[Framed]:
    """The failed sessions of a page in order. What stands between the lines of one belongs to
    other forms."""
    ended: set[int] = set()
    for index in page.hits(_HIT):
        if index in ended:
            yield Framed(index, index + 1, None)
            continue
        last = index
        if (tls := _TLS.search(_line(page, index))) is not None:
            last = _session_below(page, index, tls["client"], ended) or index
            ended.add(last)
        elif _SESSION.search(_line(page, index)) is None:
            continue
        yield Framed(index, index + 1, page.cut(NAME, index, last + 1))


def _line(page: Page, index: int) -> str:
    return page.line(index).replace("\u00a0", " ")


def _session_below(page: Page, index: int, client: str, ended: set[int]) -> int | None:
    """The line of the session that the TLS error of a client at ``index`` ended."""
    for at in range(index + 1, min(len(page), index + 1 + SPAN)):
        line = _line(page, at)
        if client not in line or at in ended:
            continue
        if (session := _SESSION.search(line)) is not None and session["client"] == client:
            return at
        if (other := _TLS.search(line)) is not None and other["client"] == client:
            return None
    return None


def is_whole(line: str) -> bool:
    """Whether a line says all that a session or a TLS failure does."""
    plain = line.replace("\u00a0", " ")
    return _SESSION.search(plain) is not None or _TLS.search(plain) is not None


def parse(block: RawBlock) -> ErrorBlock:
    """One failed session. Raises ``BlockSyntaxError``."""
    session: ErrorFrame | None = None
    cause: ErrorFrame | None = None
    damage: list[str] = []
    client: str | None = None
    for row, line in enumerate(block.text.replace("\u00a0", " ").split("\n")):
        at = Location(block.at.source, block.at.line + row)
        found = _SESSION.search(line) or _TLS.search(line)
        if found is None or client not in (None, found["client"]):
            continue
        client = found["client"]
        if found.re is _SESSION and session is None:
            session = _session(found, at)
        elif found.re is _TLS and cause is None:
            if not found["error"].rstrip().endswith("'"):
                damage.append("cut off inside the TLS error")
            cause = _cause(found, at)
    frames = tuple(f for f in (session, cause) if f is not None)
    if not frames:
        raise refuse(block, f"`cl#1: {TLS} '…'` or `cl#1: … {SESSION}: -3 (…)`")
    stamp = _STAMP.search(block.text)
    return ErrorBlock(
        form=block.form,
        language="en",
        frames=frames,
        at=block.at,
        text=block.text,
        damage=tuple(damage),
        occurred_at=iso_time(stamp[0]) if stamp else None,
    )


def _session(found: re.Match[str], at: Location) -> ErrorFrame:
    fields = [Field("client", found["client"], at)]
    if found["host"] is not None:
        host = found["host"].removeprefix("[").removesuffix("]")
        fields += [Field("address", host, at), Field("port", found["port"], at)]
    return ErrorFrame(_PCS, int(found["code"]), None, tuple(fields), found["said"].strip(), at)


def _cause(found: re.Match[str], at: Location) -> ErrorFrame:
    number = _OPENSSL.search(found["error"])
    return ErrorFrame(
        module=None,
        code=None,
        line_info=None,
        fields=(Field("client", found["client"], at),),
        message=found["said"].strip(),
        at=at,
        symbol=f"OpenSSL/{number[1].upper()}" if number else "OpenSSL",
    )
