"""Numbers of TLS and of sockets in words, for ``diagnoser explain``.

A bare number can be several things; all that it can be are told, each under its name. A line as
openssl printed it says which.
"""

from __future__ import annotations

import re

from diagnoser.catalog import Words
from diagnoser.deferral import pattern
from diagnoser.evidence.numbers import (
    FailureNumber,
    OpensslCode,
    decode_openssl,
    describe_alert,
    failure,
    failure_numbers,
    reason_failure,
    system_failure,
    verify_code,
    verify_texts,
)
from diagnoser.tls_numbers import alert_name, verify_code_name

# What a server means by an alert, by the cause it suggests (KB 57417, KB 62241, RFC 8446 6.2).
_ALERT_CAUSES = {
    40: ("client-certificate-required", "alert-received"),
    42: ("client-certificate-refused", "tls-intercepted"),
    43: ("client-certificate-refused",),
    44: ("client-certificate-refused",),
    45: ("client-certificate-expired",),
    46: ("client-certificate-refused",),
    48: ("client-certificate-refused", "tls-intercepted"),
    49: ("client-certificate-refused", "alert-received"),
    70: ("protocol-too-old",),
    112: ("alert-received",),
    116: ("client-certificate-required",),
}
_VERIFY_CAUSES = {
    9: ("clock-wrong",),
    10: ("certificate-expired", "clock-wrong"),
    18: ("box-certificate", "root-not-trusted"),
    19: ("tls-intercepted", "root-not-trusted"),
    20: ("tls-intercepted", "intermediate-missing", "root-not-trusted"),
    21: ("tls-intercepted", "intermediate-missing"),
    23: ("certificate-revoked",),
    62: ("name-mismatch",),
    66: ("certificate-too-weak",),
    67: ("certificate-too-weak",),
    68: ("certificate-too-weak",),
}
_CONDITION_CAUSES = {
    "connection-refused": ("port-closed",),
    "connection-timed-out": ("port-filtered",),
    "network-unreachable": ("network-unreachable",),
    "connection-reset": ("handshake-blocked",),
    "connection-closed": ("handshake-blocked",),
    "name-not-found": ("name-not-found",),
    "name-lookup-failed": ("name-lookup-failed",),
    "not-tls": ("not-tls",),
    "certificate-rejected": ("tls-intercepted", "root-not-trusted"),
}
_KINDS = {"alert": "alert", "verify": "verify", "curl": "curl", "wsa": "winsock", "errno": "errno"}
_PREFIXED = pattern(r"(alert|verify|curl|wsa|errno|openssl)[:/= ]\s*([0-9A-Za-z_]{1,80})")
_TITLES = {"winsock": "Winsock error", "errno": "errno", "curl": "libcurl error"}
# Lines of openssl's output, each with what its number is.
_LINES = (
    ("openssl", pattern(r"\berror:([0-9A-Fa-f]{8})(?::|$)")),
    ("alert", pattern(r"\bSSL alert number (\d{1,3})\b")),
    ("system", pattern(r"\berrno\s?=\s?(\d{1,5})\b")),
)
_VERIFY_LINE = pattern(
    r"\bverify (?:error:num=|return code: ?)(\d{1,3})(?:(?:: ?| \()([^)\n]{0,200}))?", re.IGNORECASE
)


def explain_number(topic: str, words: Words) -> str | None:
    """The pages of everything that ``topic`` can be, or ``None``.

    ``0A000410`` (an OpenSSL error code), ``48``, ``10061``; a name such as ``unknown_ca``,
    ``X509_V_ERR_CERT_HAS_EXPIRED`` or ``ECONNREFUSED``; with the family in front ``alert:48``,
    ``verify:19``, ``curl:60``, ``wsa:10061``; or a whole line of openssl's output.
    """
    text = topic.strip()[:2000]
    if named := _PREFIXED.fullmatch(text):
        pages = _of_kind(named[1], named[2], words)
    else:
        pages = _of_line(text, words) or _of_name(text, words) or _of_code(text, words)
        if text.isascii() and text.isdigit() and len(text) <= 5:
            pages += [p for kind in _KINDS for p in _of_kind(kind, text, words)]
    return "\n".join(dict.fromkeys(pages)) if pages else None


def _of_line(text: str, words: Words) -> list[str]:
    pages: list[str] = []
    if said := _VERIFY_LINE.search(text):
        # Number and text together tell what is meant where the number was given away anew.
        code = verify_code(int(said[1]), (said[2] or "").strip())
        pages += [_verify(code, words)] if any(r.number == code for r in verify_texts()) else []
    for kind, line in _LINES:
        if kind == "alert" and pages:
            # The error code of the same line has said it.
            continue
        for found in list(line.finditer(text))[:5]:
            pages += _of_kind(kind, found[1], words)
    return pages


def _of_name(text: str, words: Words) -> list[str]:
    """The number of a name, as the tables spell it; an alert also as OpenSSL writes it."""
    plain, upper = " ".join(text.split()).lower(), text.upper()
    spelled = re.sub(r"[ -]", "_", re.sub(r"^(?:sslv3|tlsv1|tlsv13|tls) alert ", "", plain))
    pages = [_alert(n, words) for n in range(256) if alert_name(n) == spelled != "unknown_alert"]
    pages += [
        _verify(n, words)
        for n in range(256)
        if verify_code_name(n).startswith("X509_V_")
        and upper in (verify_code_name(n), verify_code_name(n).removeprefix("X509_V_ERR_"))
    ]
    if not pages:
        texts = {r.number for r in verify_texts() if plain in (t.lower() for t in r.texts)}
        pages += [_verify(verify_code(n, plain), words) for n in sorted(texts)]
    rows = [r for r in failure_numbers() if r.name == upper]
    return pages + [_failure(row, words) for row in rows]


def _of_kind(kind: str, digits: str, words: Words) -> list[str]:
    if kind == "openssl":
        return _of_code(digits, words)
    if not (digits.isascii() and digits.isdigit()):
        return _of_name(digits, words)
    number = int(digits)
    if kind == "alert":
        known = number < 256 and alert_name(number) != "unknown_alert"
        return [_alert(number, words)] if known else []
    if kind == "verify":
        return [_verify(number, words)] if any(r.number == number for r in verify_texts()) else []
    row = system_failure(number) if kind == "system" else failure(_KINDS[kind], number)
    return [] if row is None else [_failure(row, words)]


def _failure(row: FailureNumber, words: Words) -> str:
    title = _TITLES.get(row.kind, "OpenSSL reason")
    if row.kind == "winsock" and row.number < 10000:
        title = "Windows error"
    head = f"{title} {row.number}: {row.name}"
    causes = _CONDITION_CAUSES.get(row.condition.value, ())
    return _page(head, (f"  {row.means}.",), causes, words)


def _of_code(text: str, words: Words) -> list[str]:
    digits = text.removeprefix("0x")
    code = decode_openssl(digits) if len(digits) == 8 else None
    if code is None:
        return []
    lines, causes = _told(code)
    if not lines:
        return []
    return [_page(f"OpenSSL error code {code.code:08X}", lines, causes, words)]


def _told(code: OpensslCode) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if code.alert is not None:
        told = f"  The other side sent the TLS alert {describe_alert(code.alert)}."
        return (told,), _ALERT_CAUSES.get(code.alert, ("alert-received",))
    if code.system is not None:
        row = system_failure(code.system)
        if row is None:
            return (), ()
        told = f"  A system error: {row.name} ({row.number}): {row.means}."
        return (told,), _CONDITION_CAUSES.get(row.condition.value, ())
    if code.is_lookup:
        return ("  The host name could not be resolved.",), ("name-not-found", "name-lookup-failed")
    row = reason_failure(code)
    if row is None:
        return (), ()
    told = f"  {row.name} (reason {row.number}): {row.means}."
    return (told,), _CONDITION_CAUSES.get(row.condition.value, ())


def _alert(number: int, words: Words) -> str:
    causes = _ALERT_CAUSES.get(number, ("alert-received",))
    told = "  Received, it is the other side's refusal; 42 to 49 and 116 speak of our certificate."
    return _page(f"TLS alert {describe_alert(number)}", (told,), causes, words)


def _verify(number: int, words: Words) -> str:
    lines = []
    for row in (r for r in verify_texts() if r.number == number):
        said = "; ".join(row.texts) or "no text"
        lines.append(f"  {row.name}: {said}")
        if row.means:
            lines.append(f"    {row.means}")
    if len({r.name for r in verify_texts() if r.number == number}) > 1:
        lines.append("  The number was given away anew; the text that was printed decides.")
    if number in (0, 18, 19, 20, 21):
        lines.append(
            "  By itself it proves nothing: look at who issued the certificate (KB 70285)."
        )
    head = f"verify code {number}: {verify_code_name(number)}"
    return _page(head, tuple(lines), _VERIFY_CAUSES.get(number, ()), words)


def _page(head: str, lines: tuple[str, ...], causes: tuple[str, ...], words: Words) -> str:
    told = [f"  {words.phrases['may_be']}: {c}: {words.causes[c].title}" for c in causes]
    return "\n".join((head, *lines, *told)) + "\n"
