"""What the options of an s_client command take away from what its output can prove.

``-tls1_1`` makes a healthy server answer with alert 70, ``-CAfile corp.pem`` makes code 0 say
nothing of the machine's own store, ``-no_check_time`` makes it say nothing of dates
(openssl-s_client(1), openssl-verification-options(1)). Where the command is not in the text, or
was cut, nobody knows which store it asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnoser.deferral import pattern
from diagnoser.evidence.pastes import CUT
from diagnoser.tls_numbers import PROTOCOL_VERSION

_GIVEN = r"(?<!\S)(?P<option>-{1,2}(?:%s))(?!\S)"
_VALUED = r"(?<!\S)(?P<option>-{1,2}(?:%s)[= ]\s*[\"']?[^\s\"']+)"
# Without TLS 1.2, which every Acronis service speaks; without the ciphers, groups or signatures
# that the peer may want; without the server name.
_NARROW = (
    pattern(_GIVEN % "ssl2|ssl3|tls1|tls1_1|tls1_3|dtls|dtls1|dtls1_2|no_tls1_2|noservername"),
    pattern(_VALUED % "cipher|ciphersuites|groups|curves|sigalgs|alpn"),
    pattern(r"(?<!\S)(?P<option>-{1,2}max_protocol[= ]\s*[\"']?(?:SSLv3|TLSv1(?:\.1)?))(?!\S)"),
    pattern(r"(?<!\S)(?P<option>-{1,2}min_protocol[= ]\s*[\"']?TLSv1\.3)(?!\S)"),
)
_VERSIONS = (
    pattern(_GIVEN % "tls1_2|no_tls1_3|no_tls1_1|no_tls1|no_ssl3"),
    pattern(_VALUED % "max_protocol|min_protocol"),
)
_ROOTS = pattern(r"(?<!\S)-{1,2}(?:no-)?(?:verify)?CA(?:file|path|store)(?![\w-])")
_NO_DATES = pattern(r"(?<!\S)-{1,2}(?:no_check_time|attime)(?![\w-])")


@dataclass(frozen=True, slots=True)
class Narrowing:
    """``hello`` is the option that took something out of the ClientHello, ``versions`` one that
    chose among versions and left TLS 1.2 in; ``own_roots``: the store that verified is, or may be,
    of the command's choice; ``ignores_dates``: it did not verify the dates of now."""

    hello: str | None = None
    versions: str | None = None
    own_roots: bool = False
    ignores_dates: bool = False

    def named(self, alert: int | None) -> str | None:
        """The option for which a handshake that ended with ``alert`` (or without one) says nothing
        of the peer, else ``None``."""
        return self.hello or (self.versions if alert == PROTOCOL_VERSION else None)


WHOLE = Narrowing()
UNTOLD = Narrowing(own_roots=True)


def read_narrowing(options: str | None) -> Narrowing:
    """What the options of one command line take away; ``None``: there is no command line."""
    if options is None:
        return UNTOLD
    return Narrowing(
        hello=_first(_NARROW, options),
        versions=_first(_VERSIONS, options),
        own_roots=CUT in options or _ROOTS.search(options) is not None,
        ignores_dates=_NO_DATES.search(options) is not None,
    )


def _first(patterns: tuple[re.Pattern[str], ...], options: str) -> str | None:
    return next((m["option"] for p in patterns if (m := p.search(options))), None)
