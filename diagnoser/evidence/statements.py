"""The grammar of one ``openssl s_client`` run: what its output states, not yet what it means.

Anchors that every version prints, and that survive a text flattened to one line, are found by
regular expressions; what stands at an anchor is read with pyparsing.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import pyparsing as pp

from diagnoser.deferral import pattern
from diagnoser.evidence.names import LONGEST, is_slashed, read_name
from diagnoser.evidence.numbers import OpensslCode, decode_openssl
from diagnoser.model import CertificateFacts, Name

MOST_CERTIFICATES = 20
_MOST_NAMES = 100
_LONGEST_NAMES = 65536
_MOST_NOTES = 64
_LINE = rf"[^\n]{{0,{LONGEST}}}?"

_PEM = pattern(
    r"-----BEGIN (?:TRUSTED )?CERTIFICATE-----"
    r"(?:([^-]{0,30000}?)-----END (?:TRUSTED )?CERTIFICATE-----)?"
)
# A certificate taken out of the text leaves its number between these two.
_OPEN, _SHUT = "\x02", "\x03"
_END = (
    rf"(?=\s*(?:\n|\Z|{_OPEN}|a:PKEY:|v:NotBefore:|<\.\.|---|Server certificate|subject=|issuer="
    r"|SSL handshake has|No client certificate CA|Acceptable client|verify (?:error|return):"
    r"|depth=\d|CONNECTED\(|(?<=\s)\d{1,2}\s+s:))"
)

_DEPTH = pp.Suppress(pp.Regex(r"\d{1,2}\s+s:\s?").leave_whitespace())
_SUBJECT = pp.Regex(rf"{_LINE}(?=\s+i:)").leave_whitespace()("subject")
_ISSUER = pp.Suppress(pp.Regex(r"\s+i:\s?").leave_whitespace()) + pp.Regex(
    rf"{_LINE}{_END}"
).leave_whitespace()("issuer")
_KEY_LINE = pp.Suppress(pp.Regex(rf"a:PKEY:{_LINE}(?=\s*(?:v:NotBefore|\n|{_OPEN}|\Z))"))
_MOMENT = r"[A-Z][a-z]{2}\s+\d{1,2}\s+[\d:]{8}\s+\d{4}"
_VALIDITY = pp.Regex(
    rf"v:NotBefore:\s*(?P<not_before>{_MOMENT}) GMT;\s*NotAfter:\s*(?P<not_after>{_MOMENT}) GMT"
)
_PLACED = pp.Regex(rf"{_OPEN}(?P<number>\d*){_SHUT}")
_ENTRY = _DEPTH + _SUBJECT + _ISSUER + pp.Opt(_KEY_LINE) + pp.Opt(_VALIDITY) + pp.Opt(_PLACED)
_SERVER = (
    pp.Suppress(pp.Regex(r"Server certificate"))
    + pp.Opt(_PLACED)
    + pp.Suppress(pp.Regex(r"subject=\s?"))
    + pp.Regex(rf"{_LINE}(?=\s+issuer=|\n)").leave_whitespace()("subject")
    + pp.Suppress(pp.Regex(r"\s*issuer=\s?").leave_whitespace())
    + pp.Regex(rf"{_LINE}{_END}").leave_whitespace()("issuer")
)

_ENTRY_ANCHOR = pattern(r"(?<![\w.=:])\d{1,2}\s+s:")
# Blanks are looked behind from where they begin only: from each of them would take their square.
_VERIFY_ERROR = pattern(
    r"(?:depth=(?P<depth>\d{1,3})\b(?:(?!depth=)[^\n]){0,4096}?(?<!\s)\s+)?"
    r"verify error:num=(?P<number>\d{1,3}):(?P<text>[^\n]{0,200}?)"
    r"(?<!\s)(?=\s*(?:\n|\Z|verify return|depth=|---|CONNECTED\(|notAfter|notBefore))"
)
_DEPTH_LINE = pattern(
    r"\bdepth=(?P<depth>\d{1,2}) (?P<name>[^\n]{1,4096}?)"
    r"(?<!\s)(?=\s*(?:\n|\Z|verify (?:error|return):|depth=\d|CONNECTED\(|---))"
)
# What a terminal shows of the key that ends a run which waits.
_STOPPED = pattern(r"CONNECTED\([0-9A-Fa-f]{8}\)[^\n]{0,80}(?:\n[^\n]{0,80}){0,3}?\^C")
_SELF_SIGNED = (18, 19)
_VERIFY_CODE = pattern(r"Verify return code:\s*(\d{1,3})\s*\(([^)\n]{0,200})\)")
_ALERT = pattern(r"SSL alert number (\d{1,3})\b")
_CODE = pattern(r"\berror:([0-9A-Fa-f]{7,8}):([^\n]{0,400})")
_ERRNO = pattern(r"\b(connect|write|read|getaddrinfo|gethostbyname):errno=(-?\d{1,6})")
_BYTES = pattern(r"SSL handshake has read (\d{1,9}) bytes and written (\d{1,9}) bytes")
_CIPHER = pattern(r"\bNew, (\S{1,20}), Cipher is (\S{1,60})")
_PROTOCOL = pattern(r"\bProtocol\s*: ?(SSLv3|TLSv1(?:\.[0-3])?)\b")
_STARTED = pattern(r"Start Time: (\d{9,11})\b")
_PROXY = pattern(r"HTTP CONNECT failed(?:, reason= ?|: ?)(\d{3})")
_CA_NAMES = "Acceptable client certificate CA names\n"
_CA_NAMES_END = pattern(
    r"\n(?:Client Certificate Types|Requested Signature|Peer |Server Temp|---|SSL)"
)
_ASKED = pattern(
    r"Acceptable client certificate CA names|Client Certificate Types:"
    r"|Requested Signature Algorithms"
)
_STAPLE = pattern(r"Cert Status: (good|revoked|unknown)")


@dataclass(frozen=True, slots=True)
class Statements:
    """What one run states. ``None`` and empty mean that the text does not say.

    ``verify_errors`` are (number, text, depth); ``failures`` are (call, errno) as in
    ``connect:errno=111``; ``asked`` reads "the server sent a CertificateRequest".

    ``verified`` says that lines of the verification (``depth=0 CN = …``) stand in the text: a
    certificate arrived. ``path`` are the certificates they name together with who issued them,
    as far as that follows: each is issued by the one above it. ``stopped`` says that Ctrl-C ended
    the run while it waited.
    """

    connected: bool
    chain: tuple[CertificateFacts, ...]
    ders: tuple[bytes, ...]
    verified: bool
    path: tuple[CertificateFacts, ...]
    stopped: bool
    slashed: bool
    verify_errors: tuple[tuple[int, str, int | None], ...]
    verify_code: tuple[int, str] | None
    alert: int | None
    codes: tuple[OpensslCode, ...]
    failures: tuple[tuple[str, int], ...]
    lookup: str | None
    proxy_status: int | None
    received: int | None
    sent: int | None
    version: str | None
    cipher: str | None
    failed_cipher: bool
    no_certificate: bool
    asked: bool | None
    ca_names: tuple[Name, ...]
    ticket: bool
    started: datetime | None
    ocsp: str | None
    has_stderr: bool


def read_statements(text: str) -> Statements:
    """Everything that the (tidy) text of one run states. Never raises."""
    ders: list[bytes] = []
    bare = _PEM.sub(lambda m: _set_aside(m[1], ders), text)
    chain, whole, slashed = _read_chain(bare, ders)
    codes = tuple(
        c for m in list(_CODE.finditer(bare))[:_MOST_NOTES] if (c := decode_openssl(m[1]))
    )
    numbered = _ALERT.search(bare)
    alert = int(numbered[1]) if numbered else next((c.alert for c in codes if c.alert), None)
    traffic, cipher = _BYTES.search(bare), _CIPHER.search(bare)
    code, started = _VERIFY_CODE.search(bare), _STARTED.search(bare)
    proxied, staple = _PROXY.search(bare), _STAPLE.search(bare)
    none = cipher is not None and cipher[2] == "(NONE)"
    errors = tuple(_verify_errors(bare))
    named = _names_of_path(bare)
    return Statements(
        connected="CONNECTED(" in bare,
        chain=chain,
        ders=whole,
        verified=bool(named or errors),
        path=_read_path(named, errors),
        stopped=_STOPPED.search(bare) is not None,
        slashed=slashed,
        verify_errors=errors,
        verify_code=(int(code[1]), code[2]) if code else None,
        alert=alert,
        codes=codes,
        failures=tuple((m[1], int(m[2])) for m in list(_ERRNO.finditer(bare))[:_MOST_NOTES]),
        lookup=_lookup(bare, codes),
        proxy_status=int(proxied[1]) if proxied else None,
        received=int(traffic[1]) if traffic else None,
        sent=int(traffic[2]) if traffic else None,
        # After a failed handshake the line says what was tried, unless a chain has come by then.
        version=_version(bare, None)
        if none and chain
        else None
        if none
        else _version(bare, cipher),
        cipher=cipher[2] if cipher and not none else None,
        failed_cipher=none,
        no_certificate="no peer certificate available" in bare,
        asked=_asked(bare, complete=traffic is not None and cipher is not None and not none),
        ca_names=_ca_names(bare),
        ticket="New Session Ticket arrived" in bare,
        started=_moment(int(started[1])) if started else None,
        ocsp=staple[1] if staple else None,
        has_stderr=bool(re.search(r"depth=\d|verify return:|\berror:|errno=", bare)),
    )


def _set_aside(body: str | None, ders: list[bytes]) -> str:
    """The mark that stands for a certificate: with its number where it is whole."""
    if body is not None and len(ders) < 4 * MOST_CERTIFICATES:
        try:
            ders.append(base64.b64decode("".join(body.split()), validate=True))
        except (binascii.Error, ValueError):
            return f" {_OPEN}{_SHUT} "
        return f" {_OPEN}{len(ders) - 1}{_SHUT} "
    return f" {_OPEN}{_SHUT} "


def _read_chain(
    text: str, ders: list[bytes]
) -> tuple[tuple[CertificateFacts, ...], tuple[bytes, ...], bool]:
    """The chain as facts, its DERs if the end-entity certificate is whole, and the notation."""
    found: list[tuple[CertificateFacts, bytes | None]] = []
    slashed = False
    for anchor in _ENTRY_ANCHOR.finditer(text):
        if len(found) == MOST_CERTIFICATES:
            break
        entry = _parsed(_ENTRY, text[anchor.start() : anchor.start() + 4 * LONGEST])
        if entry is None:
            continue
        slashed = slashed or is_slashed(str(entry["subject"]))
        if (facts := _certificate(entry, ders)) is not None:
            found.append(facts)
    place = text.find("Server certificate")
    server = _parsed(_SERVER, text[place : place + 4 * LONGEST]) if place >= 0 else None
    alone = _certificate(server, ders) if server is not None else None
    if alone is not None and not found:
        found.append(alone)
    elif alone is not None and found[0][1] is None and alone[1] is not None:
        # Without -showcerts only the end-entity certificate is printed whole, and only here.
        found[0] = alone
    whole = []
    for _, der in found:
        if der is None:
            break
        whole.append(der)
    return tuple(f for f, _ in found), tuple(whole), slashed


def _parsed(grammar: pp.ParserElement, text: str) -> pp.ParseResults | None:
    try:
        return grammar.parse_string(text, parse_all=False)
    except (pp.ParseBaseException, RecursionError):
        return None


def _certificate(
    entry: pp.ParseResults, ders: list[bytes]
) -> tuple[CertificateFacts, bytes | None] | None:
    number = _token(entry, "number")
    if number.isdigit() and int(number) < len(ders):
        # Most texts hold no certificate, and cryptography takes long to load.
        from diagnoser.certificates import (  # noqa: PLC0415
            UnreadableCertificate,
            read_certificate,
        )

        try:
            return read_certificate(ders[int(number)]), ders[int(number)]
        except UnreadableCertificate:
            pass
    subject, issuer = read_name(str(entry["subject"])), read_name(str(entry["issuer"]))
    if subject is None or issuer is None:
        return None
    begins, ends = (_date(_token(entry, key)) for key in ("not_before", "not_after"))
    return CertificateFacts(subject, issuer, not_before=begins, not_after=ends), None


def _token(entry: pp.ParseResults, key: str) -> str:
    return str(entry[key]) if key in entry else ""


def _date(text: str) -> datetime | None:
    try:
        return datetime.strptime(" ".join(text.split()), "%b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        return None


def _moment(seconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _verify_errors(text: str) -> Iterator[tuple[int, str, int | None]]:
    for m in islice(_VERIFY_ERROR.finditer(text), _MOST_NOTES):
        yield int(m["number"]), m["text"].strip(), int(m["depth"]) if m["depth"] else None


def _names_of_path(text: str) -> dict[int, Name]:
    """The subject at each depth of the verified path, 0 the end-entity certificate.

    Empty where two lines contradict each other: they are of two runs.
    """
    found: dict[int, Name] = {}
    for line in islice(_DEPTH_LINE.finditer(text), _MOST_NOTES):
        name = read_name(line["name"])
        if name is None or not name.attributes:
            continue
        if found.setdefault(int(line["depth"]), name) != name:
            return {}
    return found


def _read_path(
    named: dict[int, Name], errors: tuple[tuple[int, str, int | None], ...]
) -> tuple[CertificateFacts, ...]:
    """OpenSSL looks for the issuer by its name (RFC 5280 section 6.1.3), so that the subject of one
    depth is the issuer of the depth below."""
    found: list[CertificateFacts] = []
    for depth in range(MOST_CERTIFICATES):
        subject, issuer = named.get(depth), named.get(depth + 1)
        if issuer is None and any(n in _SELF_SIGNED and d == depth for n, _, d in errors):
            issuer = subject
        if subject is None or issuer is None:
            break
        found.append(CertificateFacts(subject, issuer))
    return tuple(found)


def _lookup(text: str, codes: tuple[OpensslCode, ...]) -> str | None:
    """What the failed name lookup said; ``None`` where none failed."""
    raised = any(c.is_lookup for c in codes)
    for line in _CODE.finditer(text):
        if "BIO_lookup" in line[2] or "BIO_get_host_ip" in line[2]:
            return line[2].rsplit(":", 1)[-1].strip()
    old = re.search(r"(?:gethostbyname failure|getaddrinfo: ?[^\n]{0,200})", text)
    if old is not None:
        return old[0]
    return "" if raised else None


def _version(text: str, cipher: re.Match[str] | None) -> str | None:
    """What was negotiated. Up to 1.0.2, and in LibreSSL, the line ``New, TLSv1/SSLv3`` is no
    answer."""
    protocol = _PROTOCOL.search(text)
    if protocol is not None:
        return protocol[1]
    return cipher[1] if cipher is not None and "/" not in cipher[1] else None


def _asked(text: str, *, complete: bool) -> bool | None:
    if _ASKED.search(text):
        return True
    return False if complete else None


def _ca_names(text: str) -> tuple[Name, ...]:
    _, _, section = text.partition(_CA_NAMES)
    end = _CA_NAMES_END.search(section, 0, _LONGEST_NAMES)
    lines = section[: end.start()].split("\n")[:_MOST_NAMES] if end else []
    return tuple(n for line in lines if (n := read_name(line)) is not None)
