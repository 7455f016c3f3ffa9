"""A saved JSON report as cases again: the stored evidence, without the old verdicts.

Rules of today judge what was stored then (``schema`` 1). Whatever the report says of causes is
ignored; a report that was edited by hand can at most lie about its evidence, as any file can.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import TypeVar

from diagnoser.certificates import alert_name, verify_code_name
from diagnoser.errors import InputError
from diagnoser.model import (
    AddressResult,
    Aftermath,
    Alert,
    Attribute,
    Case,
    CertificateFacts,
    Condition,
    Control,
    ControlResult,
    Direction,
    Endpoint,
    ErrorBlock,
    ErrorFrame,
    Evidence,
    Field,
    Location,
    Name,
    Origin,
    ProbeResult,
    Recognition,
    Role,
    Stage,
    StageResult,
    Symptom,
    TlsFacts,
    Transport,
    TrustStore,
    VerifyResult,
)

SCHEMA = 1
_MOST_CASES = 10_000

T = TypeVar("T")
E = TypeVar("E", bound=Enum)


class _Unfit(ValueError):
    """A value of the document is not what the contract says; names its place."""


class _Node:
    """A JSON value with its place in the document, read by type."""

    __slots__ = ("place", "value")

    def __init__(self, value: object, place: str) -> None:
        self.value, self.place = value, place

    def __getitem__(self, key: str) -> _Node:
        if not isinstance(self.value, dict):
            raise _Unfit(f"{self.place} is no object")
        return _Node(self.value.get(key), f"{self.place}.{key}")

    @property
    def is_null(self) -> bool:
        return self.value is None

    def items(self) -> Sequence[_Node]:
        if self.value is None:
            return ()
        if not isinstance(self.value, list):
            raise _Unfit(f"{self.place} is no list")
        return [_Node(v, f"{self.place}[{i}]") for i, v in enumerate(self.value)]

    def pairs(self) -> Sequence[tuple[str, _Node]]:
        if not isinstance(self.value, dict):
            raise _Unfit(f"{self.place} is no object")
        return [(k, _Node(v, f"{self.place}.{k}")) for k, v in self.value.items()]

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise _Unfit(f"{self.place} is no text")
        return self.value

    def number(self) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise _Unfit(f"{self.place} is no whole number")
        return self.value

    def real(self) -> float:
        if not isinstance(self.value, int | float) or isinstance(self.value, bool):
            raise _Unfit(f"{self.place} is no number")
        return float(self.value)

    def truth(self) -> bool:
        if not isinstance(self.value, bool):
            raise _Unfit(f"{self.place} is neither true nor false")
        return self.value

    def moment(self) -> datetime:
        try:
            return datetime.strptime(self.text(), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError as error:
            raise _Unfit(f"{self.place} is no time such as 2026-11-23T19:40:00Z") from error

    def one_of(self, kind: type[E]) -> E:
        try:
            return kind(self.text())
        except ValueError as error:
            raise _Unfit(f"{self.place} is no {kind.__name__}") from error

    def maybe(self, read: Callable[[_Node], T]) -> T | None:
        return None if self.value is None else read(self)


def opens_report(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a JSON report of this tool."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    start = text[:400].replace(b" ", b"").replace(b"\r", b"").replace(b"\n", b"")
    return start.startswith(b'{"schema":') and b'"diagnoser"' in start


def read_report(text: str, source: str) -> tuple[Case, ...]:
    """The cases of a report, as they were before they were judged.

    Raises :class:`~diagnoser.errors.InputError`, which names the place, if ``text`` does not
    follow the contract.
    """
    try:
        return _cases(_Node(json.loads(text), "report"))
    except (_Unfit, json.JSONDecodeError, RecursionError, ValueError) as error:
        reason = str(error) if isinstance(error, _Unfit) else "it is no JSON document"
        raise InputError(
            f"{source}: not a report that can be judged again: {reason}",
            hint="give the file as diagnoser wrote it with --format json",
        ) from error


def _cases(root: _Node) -> tuple[Case, ...]:
    if root["schema"].value != SCHEMA:
        raise _Unfit(f"report.schema is not {SCHEMA}")
    return tuple(_case(n) for n in root["cases"].items()[:_MOST_CASES])


def _case(node: _Node) -> Case:
    endpoints = node["endpoints"].items()
    block = node["block"].maybe(_block)
    return Case(
        block=block,
        endpoints=tuple(map(_endpoint, endpoints)),
        probes=tuple(_probe(n["probe"], _endpoint(n)) for n in endpoints if not n["probe"].is_null),
        recognised=tuple(map(_recognition, node["block"]["recognised"].items())) if block else (),
        skipped=(),
        count=node["count"].number(),
        first_seen=node["first_seen"].maybe(_Node.text),
        last_seen=node["last_seen"].maybe(_Node.text),
    )


def _evidence(node: _Node) -> Evidence:
    return Evidence(node["fact"].text(), node["value"].text(), node["origin"].text())


def _recognition(node: _Node) -> Recognition:
    return Recognition(
        table=node["table"].text(),
        key=node["key"].text(),
        evidence=tuple(map(_evidence, node["evidence"].items())),
        suspects=tuple(n.text() for n in node["suspects"].items()),
        symptom=node["symptom"].maybe(lambda n: n.one_of(Symptom)),
        proven=node["proven"].truth(),
        wrapper=node["wrapper"].truth(),
    )


def _block(node: _Node) -> ErrorBlock:
    at = Location(node["source"].text(), node["line"].number())
    frames = tuple(_frame(n, at.source) for n in node["frames"].items())
    if not frames:
        raise _Unfit(f"{node.place}.frames is empty")
    return ErrorBlock(
        form=node["form"].text(),
        language=node["language"].maybe(_Node.text),
        frames=frames,
        at=at,
        text="",
        damage=tuple(n.text() for n in node["damage"].items()),
    )


def _frame(node: _Node, source: str) -> ErrorFrame:
    at = Location(source, node["line"].number())
    fields = []
    for name, value in node["fields"].pairs():
        path, _, key = name.rpartition("/")
        fields.append(Field(key, value.text(), at, path))
    return ErrorFrame(
        module=node["module"].number(),
        code=node["code"].number(),
        line_info=node["line_info"].maybe(_Node.text),
        fields=tuple(fields),
        message=node["message"].maybe(_Node.text),
        at=at,
    )


def _endpoint(node: _Node) -> Endpoint:
    return Endpoint(
        host=node["host"].text(),
        port=node["port"].number(),
        role=node["role"].one_of(Role),
        server_name=node["server_name"].maybe(_Node.text),
        client_certificate=node["client_certificate"].truth(),
        transport=node["transport"].one_of(Transport),
        derivation=tuple(map(_evidence, node["derivation"].items())),
    )


def _probe(node: _Node, endpoint: Endpoint) -> ProbeResult:
    return ProbeResult(
        endpoint=endpoint,
        stages=tuple(map(_stage, node["stages"].items())),
        at=node["at"].moment(),
        vantage=node["vantage"].maybe(_Node.text) or "",
        origin=node["origin"].one_of(Origin),
        tls=node["tls"].maybe(_tls),
        addresses=tuple(map(_address, node["addresses"].items())),
        controls=tuple(map(_control, node["controls"].items())),
        proxy=node["proxy"].maybe(_Node.text),
    )


def _stage(node: _Node) -> StageResult:
    return StageResult(
        stage=node["stage"].one_of(Stage),
        condition=node["condition"].one_of(Condition),
        detail=node["detail"].text(),
        seconds=node["seconds"].maybe(_Node.real),
        error=node["error"].maybe(_Node.number),
    )


def _address(node: _Node) -> AddressResult:
    return AddressResult(
        address=node["address"].text(),
        port=node["port"].number(),
        condition=node["condition"].one_of(Condition),
        seconds=node["seconds"].maybe(_Node.real),
        error=node["error"].maybe(_Node.number),
    )


def _control(node: _Node) -> ControlResult:
    return ControlResult(
        control=node["control"].one_of(Control),
        question=node["question"].text(),
        condition=node["condition"].one_of(Condition),
        detail=node["detail"].text(),
        certificate=node["certificate"].maybe(_certificate),
        answered_at=node["answered_at"].maybe(_Node.moment),
    )


def _tls(node: _Node) -> TlsFacts:
    return TlsFacts(
        version=node["version"].maybe(_Node.text),
        cipher=node["cipher"].maybe(_Node.text),
        group=node["group"].maybe(_Node.text),
        alert=node["alert"].maybe(_alert),
        verify=tuple(map(_verified, node["opinions"].items())),
        verify_errors=tuple(map(_verified, node["verify_errors"].items())),
        received_chain=tuple(map(_certificate, node["received_chain"].items())),
        client_certificate_requested=node["client_certificate_requested"].maybe(_Node.truth),
        client_certificate_sent=node["client_certificate_sent"].truth(),
        client_ca_names=tuple(map(_name, node["client_ca_names"].items())),
        aftermath=node["aftermath"].maybe(lambda n: n.one_of(Aftermath)),
        bytes_sent=node["bytes_sent"].maybe(_Node.number),
        bytes_received=node["bytes_received"].maybe(_Node.number),
        clear_text=node["clear_text"].maybe(_Node.text),
        ocsp=node["ocsp"].maybe(_Node.text),
    )


def _alert(node: _Node) -> Alert:
    number = node["number"].number()
    level = node["level"].maybe(_Node.number)
    direction = node["direction"].one_of(Direction)
    return Alert(2 if level is None else level, number, alert_name(number), direction)


def _verified(node: _Node) -> VerifyResult:
    code = node["code"].number()
    store = node["trust_store"].one_of(TrustStore)
    return VerifyResult(code, verify_code_name(code), store, node["depth"].maybe(_Node.number))


def _name(node: _Node) -> Name:
    found: list[Attribute] = []
    for key, value in node.pairs():
        values = value.items() if isinstance(value.value, list) else (value,)
        found += [Attribute(key, v.text()) for v in values]
    return Name(tuple(found))


def _texts(node: _Node) -> tuple[str, ...]:
    return tuple(n.text() for n in node.items())


def _certificate(node: _Node) -> CertificateFacts:
    return CertificateFacts(
        subject=_name(node["subject"]),
        issuer=_name(node["issuer"]),
        serial=node["serial"].maybe(_Node.text),
        not_before=node["not_before"].maybe(_Node.moment),
        not_after=node["not_after"].maybe(_Node.moment),
        dns_names=node["dns_names"].maybe(_texts),
        ip_addresses=node["ip_addresses"].maybe(_texts),
        sha256=node["sha256"].maybe(_Node.text),
        key_sha256=node["key_sha256"].maybe(_Node.text),
        key=node["key"].maybe(_Node.text),
        signature_hash=node["signature_hash"].maybe(_Node.text),
        is_authority=node["is_authority"].maybe(_Node.truth),
        authority_key_identifier=node["authority_key_identifier"].maybe(_Node.text),
        subject_key_identifier=node["subject_key_identifier"].maybe(_Node.text),
        timestamps=node["timestamps"].maybe(lambda n: tuple(t.moment() for t in n.items())),
        has_revocation_pointers=node["has_revocation_pointers"].maybe(_Node.truth),
        pem=node["pem"].maybe(_Node.text),
    )


__all__ = ["opens_report", "read_report"]
