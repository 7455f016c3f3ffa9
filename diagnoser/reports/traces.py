"""Where a plain text names somebody: a person, a machine, a customer.

A name is told by form (addresses, e-mail, GUIDs, host names), by the path it stands in, or by
the key or noun it belongs to. A name without any of these is found only where it is known from
elsewhere; :mod:`~diagnoser.reports.redaction` sees to that.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from diagnoser.deferral import pattern
from diagnoser.reports.confidential import Trace
from diagnoser.reports.naming import TOKEN, Kind, is_common, is_public_mail, kind_of_key, names_host

_GUID = pattern(
    r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32})"
    r"(?![0-9A-Za-z])"
)
_MAIL = pattern(
    # An apostrophe stands within a name (o'brien@); before and behind it is a quotation mark.
    r"(?<![\w.+%-])[\w.+%-](?:[\w.+'%-]{0,62}[\w.+%-])?@(?:[A-Za-z0-9\u00c0-\u052f-]{1,63}\.){1,8}"
    r"[A-Za-z\u00c0-\u052f][A-Za-z0-9\u00c0-\u052f-]{1,62}",
)
_V4 = pattern(r"(?<![\d.])(?<!\d[.-])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)")
_V6 = pattern(
    r"(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4})"
    r"(?:%[0-9A-Za-z]{1,15})?(?![0-9A-Za-z:])"
)
_MAC = pattern(
    r"(?<![0-9A-Za-z:-])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}"
    r"(?![0-9A-Za-z:-])"
)
_LABEL = r"[A-Za-z0-9_\u00c0-\u052f](?:[A-Za-z0-9_\u00c0-\u052f-]{0,61}[A-Za-z0-9_\u00c0-\u052f])?"
_HOST = pattern(
    # What follows a percent sign is half a letter.
    rf"(?<![A-Za-z0-9_\u00c0-\u052f@%.-])(?<!%[0-9A-Fa-f])(?:{_LABEL}\.){{1,20}}{_LABEL}"
    r"(?![A-Za-z0-9_\u00c0-\u052f-])"
)
_URL_HOST = pattern(
    r"\b[a-z][a-z0-9+.-]{1,20}://(?:(?P<user>[^\s/@:\"'<>\[\]]{1,100})(?::[^\s/@]{0,200})?@)?"
    rf"(?P<host>{_LABEL}(?:\.{_LABEL}){{0,20}})",
    re.IGNORECASE,
)
_UNC = pattern(rf"(?<![\\\w:])\\{{2,8}}(?P<host>{_LABEL})\\")
_HOME = pattern(
    r"(?:[\\/](?:users|documents and settings|home|benutzer|utilisateurs|usuarios|utenti)[\\/]+"
    r"(?P<user>[^\\/:*?\"<>|\r\n]{1,64}?)(?=[\\/]|\s{2}|[:*?\"<>|\r\n,;)]|\.\s|\s[^\s\\/]{1,64}(?:\s|$)|\s?$))",
    re.IGNORECASE,
)
# ``CONTOSO\\jane``, which is no path: nothing goes before or after.
_LOGON = pattern(
    r"(?<![\w\\/:.$-])(?P<domain>[A-Z][A-Z0-9-]{1,14})\\(?P<user>[A-Za-z][\w.-]{1,30})(?![\w\\])"
)
_REACHED = pattern(
    rf"\b(?:connect(?:ed|ing|ion)?|tunnel)\s(?:to|with)\s(?:host\s|server\s)?(?P<host>{_LABEL})"
    r"(?=:\d)",
    re.IGNORECASE,
)
# A word behind a noun is a name if it looks like no word: WS-014, SRV_7, FILER.
_CALLED = pattern(
    r"\b(?i:user|machine|computer|agent|host|server|device|resource|node|vm|account)(?:\s(?i:name))?"
    r"\s(?P<value>(?=[\w.-]*\d|[A-Z_-]{3})(?=[\w.-]*[A-Za-z])[\w-]{3,60})(?![\w.-])"
)
_OPEN, _SHUT = "[\"'`‘“«„「『]", "[\"'`’”“»」』]"
_NOUN = (
    r"user(?:\s?name)?|login|account|owner|machine|computer|resource|device|agent|host|server|vm|"
    r"plan|policy|tenant|customer|company|organi[sz]ation|unit|partner|archive|vault|backup|group|"
    r"for|benutzer|konto|maschine|mandant|ユーザー|アカウント|マシン|コンピューター|デバイス|"
    r"エージェント|計画|プラン|ポリシー|テナント|顧客|アーカイブ|ボールト|グループ"
)
_QUOTED = pattern(
    # A quotation mark before the noun: then the one behind it closes.
    rf"(?<![A-Za-z\"'=])(?P<noun>{_NOUN})\s{{0,2}}:?\s{{0,2}}{_OPEN}\s?"
    rf"(?P<value>[^\s{{}}=][^\r\n{{}}=]{{0,119}}?)\s?{_SHUT}",
    re.IGNORECASE,
)
_KEYED = pattern(
    r"(?<![A-Za-z0-9$_])(?P<key>(?:[^\W\d]|\$)[\w$ -]{1,40}?)(?:\\?[\"'])?"
    r"[ \t]{0,3}[:=：][ \t]{0,3}"
    r"(?:(?P<open>\\?[\"'])(?P<quoted>(?:(?!(?P=open))[^\r\n]){1,200})(?P=open)"
    r"|(?P<bare>[^\s\"'\\,;|{}\[\])>(]{1,120}))",
)
_LINE = pattern(
    r"^[ \t|>]*(?P<key>(?:[^\W\d]|\$)[\w$ -]{1,40}?)[ \t]*[:=：][ \t]*"
    # A name of several words; a list, or a number that words follow, is none.
    r"(?P<value>(?!\d+[ \t])[^\s\"'{}|,;:=]{1,60}(?:[ \t][^\s\"'{}|,;:=]{1,60}){0,5})[ \t]*$",
    re.MULTILINE,
)


def names(text: str) -> Iterator[Trace]:
    """What names a person, a machine or a customer in a plain text. Overlaps are left in.

    Of two that see the same words the first decides: a place tells a user from a host where the
    form (``h.mueller``) does not.
    """
    yield from _in_paths(text)
    yield from _in_prose(text)
    yield from _behind_keys(text)
    yield from shapes(text)


def _in_paths(text: str) -> Iterator[Trace]:
    """Servers and users of URLs, shares, home folders and logons."""
    for match in _UNC.finditer(text):
        yield Trace(*match.span("host"), Kind.HOST, match["host"])
    for match in _LOGON.finditer(text):
        if not (is_common(match["domain"]) or is_common(match["user"])):
            yield Trace(*match.span("domain"), Kind.DOMAIN, match["domain"])
            yield Trace(*match.span("user"), Kind.USER, match["user"])
    for match in _URL_HOST.finditer(text):
        if names_host(match["host"], told=True):
            yield Trace(*match.span("host"), Kind.HOST, match["host"])
        if match["user"] and not is_common(match["user"]):
            yield Trace(*match.span("user"), Kind.USER, match["user"])
    for match in _HOME.finditer(text):
        if not is_common(match["user"]):
            yield Trace(*match.span("user"), Kind.USER, match["user"])


def _in_prose(text: str) -> Iterator[Trace]:
    """What a noun or a verb before it says is a name."""
    for match in _REACHED.finditer(text):
        yield from _told(text, *match.span("host"), Kind.HOST)
    for match in _CALLED.finditer(text):
        yield from _told(text, *match.span("value"), kind_of_key(match[0].split()[0]) or Kind.NAME)
    for match in _QUOTED.finditer(text):
        kind = kind_of_key(match["noun"]) or Kind.NAME
        yield from _told(text, *match.span("value"), kind, quoted=True)


def _behind_keys(text: str) -> Iterator[Trace]:
    """What stands behind ``key:``, as one word, in quotes, or to the end of its line."""
    for match in _KEYED.finditer(text):
        kind = kind_of_key(match["key"].rsplit(" ", 1)[-1]) or kind_of_key(match["key"])
        if kind is not None:
            group = "quoted" if match["quoted"] else "bare"
            yield from _told(text, *match.span(group), kind, quoted=group == "quoted")
    for match in _LINE.finditer(text):
        kind = kind_of_key(match["key"])
        if kind is not None:
            yield from _told(text, *match.span("value"), kind)


def _told(text: str, start: int, end: int, kind: Kind, *, quoted: bool = False) -> Iterator[Trace]:
    """What a key or a noun says is a name, unless it is a word of every day."""
    value = text[start:end]
    if is_common(value) or any(c in value for c in "/\\@[]") or TOKEN.search(value):
        return
    if kind is Kind.HOST:
        host, colon, port = value.rpartition(":")
        if colon and port.isdigit():
            value, end = host, start + len(host)
        if not re.fullmatch(rf"{_LABEL}(?:\.{_LABEL})*", value):
            if not quoted:
                return
            kind = Kind.NAME
        elif not names_host(value, told=True):
            return
    if not quoted and value.isdigit() and len(value) < 3:
        return
    yield Trace(start, end, kind, value)


def shapes(text: str) -> Iterator[Trace]:
    """What is told by its form alone: GUIDs, e-mail and network addresses, host names."""
    for match in _GUID.finditer(text):
        yield Trace(*match.span(), Kind.GUID, match[0])
    for trace in mails(text):
        if not is_public_mail(trace.value):
            yield trace
    for shape in (_V4, _V6):
        for match in shape.finditer(text):
            if (kind := kind_of_address(match[0])) is not None:
                yield Trace(*match.span(), kind, match[0])
    for match in _MAC.finditer(text):
        yield Trace(*match.span(), Kind.MAC, match[0])
    for match in _HOST.finditer(text):
        if names_host(match[0]):
            yield Trace(*match.span(), Kind.HOST, match[0])


def mails(text: str) -> Iterator[Trace]:
    """All e-mail addresses in a plain text."""
    if "@" in text:
        for match in _MAIL.finditer(text):
            yield Trace(*match.span(), Kind.MAIL, match[0])


# What rules tell apart (name-redirected) the token tells apart as well: RFC 1918, RFC 6598,
# RFC 3927, RFC 4193, RFC 4291 section 2.5.6.
_PRIVATE = tuple(
    ipaddress.ip_network(n)
    for n in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
        "fc00::/7", "fe80::/10",
    )
)  # fmt: skip


def kind_of_address(text: str) -> Kind | None:
    """The kind of an address literal; ``None`` if it is none, or says nothing of anybody."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if not any(c.isdigit() for c in text):
            # C++ names: ``Face::Add`` is no address that anybody has.
            return None
        address = address.ipv4_mapped or address
    if address.is_loopback or address.is_unspecified or str(address) == "255.255.255.255":
        return None
    inside = any(address in n for n in _PRIVATE if n.version == address.version)
    return Kind.PRIVATE_ADDRESS if inside else Kind.ADDRESS
