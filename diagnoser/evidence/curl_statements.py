"""The grammar of one ``curl -v`` run: what its output states, not yet what it means.

Lines of curl itself begin with ``* ``, what was sent with ``> ``, what came with ``< ``; behind a
progress meter they stand in the middle of a line. The numbers decide: curl's own (``curl: (60)``),
OpenSSL's, those of an alert (level times 256 plus AlertDescription), Schannel's (``0x80090325``).
Words are read only where curl prints the sentence of a number in place of it: strerror's, OpenSSL's
of a verify code, and GnuTLS' of an alert. Wordings: curl 7.19 to 8.15, with OpenSSL, LibreSSL,
Schannel and GnuTLS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from diagnoser.deferral import pattern
from diagnoser.evidence.names import KEYS, read_name
from diagnoser.evidence.numbers import OpensslCode, decode_openssl
from diagnoser.evidence.targets import read_port, split_target, without_login
from diagnoser.model import Name

_MOST_NOTES = 64
_SHORT = r"[^\n]{0,400}"
_HOST = r"(?P<host>[A-Za-z0-9\[](?:[A-Za-z0-9_.:\-\]]{0,252}))"
_ADDRESS = r"\[?(?P<address>[0-9A-Fa-f.:]{2,45}?)\]?"

_TRYING = pattern(
    rf"^\* +Trying {_ADDRESS}(?::(?P<port>\d{{1,5}}))?\.\.\.",
    re.MULTILINE,
)
_CONNECTED = pattern(
    rf"^\* (?:Connected to|Established connection to) (?P<name>\S{{1,255}}) \({_ADDRESS}"
    r"(?: port (?P<inner>\d{1,5}))?\)(?: port (?P<port>\d{1,5}))?",
    re.MULTILINE,
)
_FAILED = pattern(
    rf"^\* +(?:connect to {_ADDRESS} port (?P<port>\d{{1,5}})(?: from \S{{1,60}} port \d{{1,5}})?"
    rf" failed|Immediate connect fail for {_ADDRESS.replace('address', 'other')}): "
    r"(?P<reason>[^\n]{1,120}?)[ \t]*$",
    re.MULTILINE,
)
_EXIT = pattern(rf"^curl: \((?P<code>\d{{1,3}})\) ?(?P<text>{_SHORT})", re.MULTILINE)
_UNREACHED = pattern(
    rf"Failed to connect to {_HOST} port (?P<port>\d{{1,5}})\b(?: via (?P<proxy>\S{{1,255}}))?"
)
_ASKED_FOR = pattern(
    rf"^\* (?:Host (?P<whole>\S{{1,255}}):(?P<port>\d{{1,5}}) was (?:found|resolved)"
    rf"|Host(?:name)? {_HOST} was (?:found|resolved)"
    rf"|About to connect\(\) to {_HOST.replace('<host>', '<old>')} port (?P<number>\d{{1,5}}))",
    re.MULTILINE,
)
_UNRESOLVED = pattern(rf"(?:Could not|Couldn't) resolve (?P<what>host|proxy)(?: name)?:? '?{_HOST}")
# SOCKS5 replies (RFC 1928 section 6), and those of SOCKS4 from 90 on.
_SOCKS = pattern(
    rf"(?:[Cc]an't|cannot) complete SOCKS[45]a? connection to {_HOST} \((?P<reply>\d{{1,3}})\)"
)
_SPOKEN_TO = pattern(rf" in connection to {_HOST}:(?P<port>\d{{1,5}})\b")
_GNUTLS = pattern(r"gnutls_handshake\(\) failed: (?P<sentence>[^\n]{1,120}?)[ \t]*$", re.MULTILINE)
_TUNNEL = pattern(rf"^CONNECT {_HOST} HTTP/1\.[01][ \t]*$", re.MULTILINE)
_TUNNEL_ENDED = pattern(
    r"(?:CONNECT tunnel (?:failed|established), response|Received HTTP code) (?P<code>\d{3})\b"
)
_PROXY_SET = pattern(
    r"^\* Uses proxy env variable \w{1,40} == '(?P<url>[^'\n]{1,400})'", re.MULTILINE
)
_LED = pattern(r"^\* Connecting to hostname: (\S{1,255})", re.MULTILINE)
# --connect-to and --resolve: where the connection goes is the command's choice.
_IS_LED = pattern(
    r"^\* (?:Connecting to (?:hostname|port): |Added \S{1,300} to DNS cache)", re.MULTILINE
)
_REQUEST = pattern(
    r"^Host: (?P<host>[^\s:]{1,255}|\[[0-9A-Fa-f:]{2,45}\])(?::(?P<port>\d{1,5}))?[ \t]*$",
    re.MULTILINE,
)
_SESSION = pattern(
    r"^\* SSL connection using (?P<version>TLSv?1(?:\.\d)?|SSLv3)(?=[ \n])"
    r"(?: / (?P<cipher>[\w-]{1,60}))?",
    re.MULTILINE,
)
_MESSAGE = pattern(
    r"^\* (?:TLSv1(?:\.\d)?|SSLv[23]),? \((?P<way>IN|OUT)\), TLS (?P<kind>handshake|alert),"
    r" [^\n(]{0,60}\((?P<number>\d{1,4})\)",
    re.MULTILINE,
)
_FACT = pattern(
    r"^\*[ \t]{1,4}(?P<key>subject|issuer|start date|expire date): ?(?P<value>[^\n]{1,4096})\n",
    re.MULTILINE,
)
_MATCHED = pattern(
    r"^\* +subjectAltName: [^\n]{0,300}?match(?:ed|es) (?:cert's )?\"?(?P<name>[\w.*-]{1,253})\"?",
    re.MULTILINE,
)
_PROBLEM = pattern(r"SSL certificate problem: (?P<text>[^\n]{1,120}?)[ \t]*$", re.MULTILINE)
_RESULT = pattern(r"SSL certificate verify result: (?P<text>[^\n]{1,120}?) \((?P<code>\d{1,3})\)")
_ACCEPTED = pattern(
    r"^\* +(?:SSL certificate (?:verify ok\.|verified via )|server certificate verification OK)",
    re.MULTILINE,
)
_OTHER_NAME = pattern(r"no alternative certificate subject name matches|does not match target host")
_CODE = pattern(r"\berror:([0-9A-Fa-f]{8}):")
_WINDOWS = pattern(r"\((0x8009[0-9A-Fa-f]{4}|0x800[Bb][0-9A-Fa-f]{4})\)")
_ROOTS = pattern(
    r"^\* +(?:(?:CAfile|CApath): |schannel: added \d{1,6} certificate\(s\) from CA file "
    r"|found \d{1,6} certificates in )"
    r"(?P<path>[^\n]{1,300}?)[ \t]*$",
    re.MULTILINE,
)
_DATE = pattern(
    r"^< date: \w{3}, (\d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2}) GMT[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_WAITED = pattern(
    r"timed out after (\d{1,9}) milliseconds|timeout after (\d{1,9}) ms"
    r"|Failed to connect to \S{1,255} port \d{1,5}(?: via \S{1,255})? after (\d{1,9}) ms"
)
_KEYED = pattern(rf"; (?=(?:{KEYS}|\d[\d.]{{3,40}})=)")
_CERTIFICATE_REQUEST, _CERTIFICATE, _LEVEL = 13, 11, 256
_OF_PROXY = frozenset({5, 97})
# Of the command, of this curl or of its machine (libcurl-errors(3)): they end a run at any stage.
_OF_NO_STAGE = frozenset({1, 2, 3, 4, 26, 27, 37, 41, 42, 43, 45, 48, 53, 54, 66, 81})


@dataclass(frozen=True, slots=True)
class CurlStatements:
    """What one run states. ``None`` and empty mean that the text does not say.

    ``attempts`` are (address, port, what strerror says of it, or ``None`` where none failed);
    ``alerts`` are (``IN`` or ``OUT``, AlertDescription). ``led`` is the host that ``--connect-to``
    put in place of the one of the URL, and ``is_led`` says that the command chose where the
    connection goes; ``unresolved`` is ``host`` or ``proxy``; ``socks`` is the reply of a SOCKS
    proxy; ``waited`` milliseconds. What is told of TLS is the server's: a proxy that is spoken to
    in TLS has a handshake of its own before (``has_tls_proxy``).

    ``hello``, ``certified`` and ``asked`` are messages of the handshake: a ClientHello was sent, a
    Certificate and a CertificateRequest came. ``matched`` is the dNSName that fits; ``verify`` the
    verify code, if it is told, with its text; ``windows`` a status of Schannel, ``gnutls`` what
    GnuTLS says of a failed handshake. ``code`` and ``text`` are those of ``curl: (code) text``.
    """

    host: str | None
    port: int | None
    attempts: tuple[tuple[str, int | None, str | None], ...]
    connected: tuple[str, int | None] | None
    led: str | None
    is_led: bool
    unresolved: str | None
    tunnel: tuple[str, int] | None
    tunnel_status: int | None
    socks: int | None
    proxy: str | None
    has_tls_proxy: bool
    code: int | None
    text: str
    waited: int | None
    hello: bool
    certified: bool
    asked: bool
    version: str | None
    cipher: str | None
    subject: Name | None
    issuer: Name | None
    not_before: datetime | None
    not_after: datetime | None
    matched: str | None
    verify: tuple[int | None, str] | None
    is_accepted: bool
    is_of_other_name: bool
    alerts: tuple[tuple[str, int], ...]
    codes: tuple[OpensslCode, ...]
    windows: int | None
    gnutls: str | None
    roots: tuple[str, ...]
    is_schannel: bool
    server_time: datetime | None

    @property
    def stage_code(self) -> int | None:
        """The number of ``curl: (N)``, if it tells at which stage the run ended."""
        return None if self.code in _OF_NO_STAGE else self.code

    @property
    def is_tunnel_refused(self) -> bool:
        """The proxy answered the CONNECT request, and opened nothing."""
        return self.tunnel_status is not None and not 200 <= self.tunnel_status < 300

    @property
    def is_proxys(self) -> bool:
        """A proxy ended the run, whether it is named or not."""
        return self.is_tunnel_refused or self.socks is not None or self.code in _OF_PROXY


def read_curl(text: str) -> CurlStatements:
    """Everything that the text of one run states; its lines begin at their sign. Never raises."""
    ended = list(_EXIT.finditer(text))
    code = int(ended[-1]["code"]) if ended else None
    told = ended[-1]["text"].strip() if ended else ""
    host, port = _target(text)
    tunnel = _TUNNEL.search(text)
    status = _TUNNEL_ENDED.search(text)
    connected = _CONNECTED.search(text)
    inner = text[tunnel.end() :] if tunnel else text
    session = _SESSION.search(inner)
    unresolved = _UNRESOLVED.search(text)
    messages = [(m["way"], m["kind"], int(m["number"])) for m in _some(_MESSAGE, inner)]
    handshakes = [(way, number) for way, kind, number in messages if kind == "handshake"]
    facts = {m["key"]: m["value"].rstrip() for m in _some(_FACT, inner)}
    matched, windows, date = _MATCHED.search(inner), _WINDOWS.search(inner), _DATE.search(text)
    waited = _WAITED.search(text)
    led, proxied, unreached = _LED.search(text), _PROXY_SET.search(text), _UNREACHED.search(text)
    proxy = proxied["url"] if proxied and proxied["url"] != "*" else None
    if proxy is None and unreached is not None:
        proxy = unreached["proxy"]
    if proxy is None and unresolved is not None and unresolved["what"] == "proxy":
        proxy = unresolved["host"].rstrip(".:")
    socks, gnutls = _SOCKS.search(text), _GNUTLS.search(inner)
    return CurlStatements(
        host=host,
        port=port,
        attempts=tuple(_attempts(text)),
        connected=None
        if connected is None
        else (connected["address"], _port(connected["port"] or connected["inner"])),
        led=led[1] if led else None,
        is_led=_IS_LED.search(text) is not None,
        unresolved=unresolved["what"] if unresolved else None,
        tunnel=_pair(tunnel["host"]) if tunnel else None,
        tunnel_status=int(status["code"]) if status else None,
        socks=int(socks["reply"]) if socks else None,
        proxy=without_login(proxy) if proxy else None,
        has_tls_proxy=(proxy or "").startswith("https:") or "* Proxy certificate:" in text,
        code=code,
        text=told,
        waited=int(waited[1] or waited[2] or waited[3]) if waited else None,
        hello=("OUT", 1) in handshakes or "schannel: SSL/TLS connection with" in text,
        certified=("IN", _CERTIFICATE) in handshakes,
        asked=("IN", _CERTIFICATE_REQUEST) in handshakes,
        version=session["version"].replace("TLS1", "TLSv1") if session else None,
        cipher=session["cipher"] if session else None,
        subject=_name(facts.get("subject")),
        issuer=_name(facts.get("issuer")),
        not_before=_moment(facts.get("start date")),
        not_after=_moment(facts.get("expire date")),
        matched=matched["name"].lower() if matched else None,
        verify=_verify(inner),
        is_accepted=_ACCEPTED.search(inner) is not None,
        is_of_other_name=_OTHER_NAME.search(inner) is not None,
        alerts=tuple((way, number % _LEVEL) for way, kind, number in messages if kind == "alert"),
        codes=tuple(c for m in _some(_CODE, inner) if (c := decode_openssl(m[1])) is not None),
        windows=int(windows[1], 16) if windows else None,
        gnutls=gnutls["sentence"] if gnutls else None,
        roots=tuple(m["path"] for m in _some(_ROOTS, inner)),
        is_schannel="schannel" in text.lower(),
        server_time=_moment(date[1] if date else None),
    )


def _some(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    return islice(pattern.finditer(text), _MOST_NOTES)


def _target(text: str) -> tuple[str | None, int | None]:
    """The host and port that curl says it was asked for, as it names them itself."""
    if (found := _ASKED_FOR.search(text)) is not None:
        named = found["whole"] or found["host"] or found["old"]
        number = found["port"] or found["number"]
    elif (found := _UNREACHED.search(text)) is not None:
        named, number = found["host"], found["port"]
    elif (found := _UNRESOLVED.search(text)) is not None and found["what"] == "host":
        named, number = found["host"].rstrip(".:"), None
    elif (found := _CONNECTED.search(text)) is not None and found["name"] != "(nil)":
        named, number = found["name"], found["port"] or found["inner"]
    elif (found := _SPOKEN_TO.search(text)) is not None:
        named, number = found["host"], found["port"]
    elif (found := _SOCKS.search(text)) is not None and found["host"][0].isalpha():
        named, number = found["host"].rstrip(".:"), None
    elif (found := _REQUEST.search(text)) is not None:
        named, number = found["host"], found["port"]
    else:
        return None, None
    host, port = split_target(named)
    return host, port or _port(number)


def _attempts(text: str) -> Iterator[tuple[str, int | None, str | None]]:
    reasons = {}
    for m in _some(_FAILED, text):
        reasons[m["address"] or m["other"]] = (_port(m["port"]), m["reason"])
    for m in _some(_TRYING, text):
        port, reason = reasons.pop(m["address"], (None, None))
        yield m["address"], _port(m["port"]) or port, reason
    for address, (port, reason) in reasons.items():
        yield address, port, reason


def _verify(text: str) -> tuple[int | None, str] | None:
    """The verify code with its text; ``None`` in place of a number that is not told."""
    if (found := _RESULT.search(text)) is not None:
        return int(found["code"]), found["text"]
    found = _PROBLEM.search(text)
    return (None, found["text"]) if found else None


def _port(text: str | None) -> int | None:
    return read_port(text) if text else None


def _pair(text: str) -> tuple[str, int] | None:
    host, port = split_target(text)
    return (host, port) if host and port else None


def _name(text: str | None) -> Name | None:
    """A name in the notation of curl: ``C=US; O=x, Inc.; CN=y``, which none of OpenSSL's is."""
    if text is None or "=" not in text:
        return None
    parts = _KEYED.split(text)
    if len(parts) == 1:
        return read_name(text)
    read = [read_name(p) for p in parts]
    attributes = tuple(a for name in read if name is not None for a in name.attributes[:1])
    return Name(attributes) if attributes else None


def _moment(text: str | None) -> datetime | None:
    bare = " ".join((text or "").removesuffix("GMT").replace(",", " ").split())
    for form in ("%b %d %H:%M:%S %Y", "%d %b %Y %H:%M:%S", "%a %d %b %Y %H:%M:%S"):
        try:
            return datetime.strptime(bare, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
