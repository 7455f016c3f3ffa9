"""A saved JSON report as cases again: the stored evidence, without the old verdicts.

Rules of today judge what was stored then (``schema`` 1). Whatever the report says of causes is
ignored; a report that was edited by hand can at most lie about its evidence, as any file can.
"""

from __future__ import annotations

import json
import re

from diagnoser.deferral import pattern
from diagnoser.errors import InputError
from diagnoser.evidence.checkers import recall_checks
from diagnoser.evidence.nodes import Node, Unfit
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
    Lookup,
    Name,
    Origin,
    ProbeResult,
    Recognition,
    Role,
    Stage,
    StageResult,
    Symptom,
    TcpFlow,
    TlsFacts,
    Transport,
    TrustStore,
    VerifyResult,
)
from diagnoser.tls_numbers import alert_name, verify_code_name

SCHEMA = 1
_MOST_CASES = 10_000
# 2026-11-20T10:15; of logs over months only the hour.
_MINUTE = pattern(r"\d{4}-\d\d-\d\d(?:T\d\d(?::\d\d)?)?", re.ASCII)


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
        return _cases(Node(json.loads(text), "report"))
    except (Unfit, json.JSONDecodeError, RecursionError, ValueError) as error:
        reason = str(error) if isinstance(error, Unfit) else "it is no JSON document"
        raise InputError(
            f"{source}: not a report that can be judged again: {reason}",
            hint="give the file as diagnoser wrote it with --format json",
        ) from error


def _cases(root: Node) -> tuple[Case, ...]:
    if root["schema"].maybe(Node.number) != SCHEMA:
        raise Unfit(f"report.schema is not {SCHEMA}")
    return tuple(_case(n) for n in root["cases"].items()[:_MOST_CASES])


def _case(node: Node) -> Case:
    endpoints = node["endpoints"].items()
    block = node["block"].maybe(_block)
    known = tuple({e.key: e for e in map(_endpoint, reversed(endpoints))}.values())[::-1]
    return Case(
        block=block,
        endpoints=known,
        probes=tuple(_probe(n["probe"], _endpoint(n)) for n in endpoints if not n["probe"].is_null),
        recognised=tuple(map(_recognition, node["block"]["recognised"].items()))
        if block
        else recall_checks(known),
        skipped=(),
        count=node["count"].number(),
        first_seen=node["first_seen"].maybe(Node.text),
        last_seen=node["last_seen"].maybe(Node.text),
        times=node["times"].maybe(_times) or (),
        surroundings=node["surroundings"].maybe(_surroundings) or (),
    )


def _times(node: Node) -> tuple[tuple[str, int], ...]:
    found = tuple((minute, count.number()) for minute, count in node.pairs())
    if not all(_MINUTE.fullmatch(minute) for minute, _ in found):
        raise Unfit(f"{node.place} is no list of minutes")
    return found


def _surroundings(node: Node) -> tuple[Evidence, ...]:
    return tuple(map(_evidence, node.items()))


def _evidence(node: Node) -> Evidence:
    return Evidence(node["fact"].text(), node["value"].text(), node["origin"].text())


def _recognition(node: Node) -> Recognition:
    return Recognition(
        table=node["table"].text(),
        key=node["key"].text(),
        evidence=tuple(map(_evidence, node["evidence"].items())),
        suspects=tuple(n.text() for n in node["suspects"].items()),
        symptom=node["symptom"].maybe(lambda n: n.one_of(Symptom)),
        proven=node["proven"].truth(),
        wrapper=node["wrapper"].truth(),
    )


def _block(node: Node) -> ErrorBlock:
    at = Location(node["source"].text(), node["line"].number())
    frames = tuple(_frame(n, at.source) for n in node["frames"].items())
    if not frames:
        raise Unfit(f"{node.place}.frames is empty")
    return ErrorBlock(
        form=node["form"].text(),
        language=node["language"].maybe(Node.text),
        frames=frames,
        at=at,
        text="",
        damage=tuple(n.text() for n in node["damage"].items()),
    )


def _frame(node: Node, source: str) -> ErrorFrame:
    at = Location(source, node["line"].number())
    fields = []
    for name, value in node["fields"].pairs():
        path, _, key = name.rpartition("/")
        fields.append(Field(key, value.text(), at, path))
    return ErrorFrame(
        module=node["module"].maybe(Node.number),
        code=node["code"].maybe(Node.number),
        line_info=node["line_info"].maybe(Node.text),
        fields=tuple(fields),
        message=node["message"].maybe(Node.text),
        at=at,
        symbol=node["symbol"].maybe(Node.text),
    )


def _endpoint(node: Node) -> Endpoint:
    return Endpoint(
        host=node["host"].text(),
        port=node["port"].port(),
        role=node["role"].one_of(Role),
        server_name=node["server_name"].maybe(Node.text),
        client_certificate=node["client_certificate"].truth(),
        transport=node["transport"].one_of(Transport),
        derivation=tuple(map(_evidence, node["derivation"].items())),
    )


def _probe(node: Node, endpoint: Endpoint) -> ProbeResult:
    return ProbeResult(
        endpoint=endpoint,
        stages=tuple(map(_stage, node["stages"].items())),
        at=node["at"].moment(),
        vantage=node["vantage"].maybe(Node.text) or "",
        origin=node["origin"].one_of(Origin),
        tls=node["tls"].maybe(_tls),
        addresses=tuple(map(_address, node["addresses"].items())),
        controls=tuple(map(_control, node["controls"].items())),
        proxy=node["proxy"].maybe(Node.text),
        lookup=node["lookup"].maybe(_lookup),
    )


def _stage(node: Node) -> StageResult:
    return StageResult(
        stage=node["stage"].one_of(Stage),
        condition=node["condition"].one_of(Condition),
        detail=node["detail"].text(),
        seconds=node["seconds"].maybe(Node.real),
        error=node["error"].maybe(Node.number),
    )


def _lookup(node: Node) -> Lookup:
    nonsense = node["nonsense"].maybe(_texts)
    return Lookup(_texts(node["addresses"]), _texts(node["hosts_file"]), nonsense)


def _address(node: Node) -> AddressResult:
    return AddressResult(
        address=node["address"].text(),
        port=node["port"].port(),
        condition=node["condition"].one_of(Condition),
        seconds=node["seconds"].maybe(Node.real),
        error=node["error"].maybe(Node.number),
    )


def _control(node: Node) -> ControlResult:
    return ControlResult(
        control=node["control"].one_of(Control),
        question=node["question"].text(),
        condition=node["condition"].one_of(Condition),
        detail=node["detail"].text(),
        certificate=node["certificate"].maybe(_certificate),
        answered_at=node["answered_at"].maybe(Node.moment),
    )


def _tls(node: Node) -> TlsFacts:
    return TlsFacts(
        version=node["version"].maybe(Node.text),
        cipher=node["cipher"].maybe(Node.text),
        group=node["group"].maybe(Node.text),
        alert=node["alert"].maybe(_alert),
        verify=tuple(map(_verified, node["opinions"].items())),
        verify_errors=tuple(map(_verified, node["verify_errors"].items())),
        received_chain=tuple(map(_certificate, node["received_chain"].items())),
        client_certificate_requested=node["client_certificate_requested"].maybe(Node.truth),
        client_certificate_sent=node["client_certificate_sent"].truth(),
        client_ca_names=tuple(map(_name, node["client_ca_names"].items())),
        aftermath=node["aftermath"].maybe(lambda n: n.one_of(Aftermath)),
        bytes_sent=node["bytes_sent"].maybe(Node.number),
        bytes_received=node["bytes_received"].maybe(Node.number),
        clear_text=node["clear_text"].maybe(Node.text),
        ocsp=node["ocsp"].maybe(Node.text),
        flow=node["flow"].maybe(_flow),
        client_certificate=node["client_certificate"].maybe(_certificate),
        client_certificate_source=node["client_certificate_source"].maybe(Node.text),
        verify_at_server_time=tuple(map(_verified, node["opinions_at_server_time"].items())),
        narrowed_by=node["narrowed_by"].maybe(Node.text),
    )


def _flow(node: Node) -> TcpFlow:
    return TcpFlow(
        unacknowledged=node["unacknowledged"].number(),
        selectively_acknowledged=node["selectively_acknowledged"].number(),
        retransmitted=node["retransmitted"].number(),
        bytes_acknowledged=node["bytes_acknowledged"].number(),
        out_of_order=node["out_of_order"].maybe(Node.number),
    )


def _alert(node: Node) -> Alert:
    number = node["number"].number()
    level = node["level"].maybe(Node.number)
    direction = node["direction"].one_of(Direction)
    return Alert(2 if level is None else level, number, alert_name(number), direction)


def _verified(node: Node) -> VerifyResult:
    code = node["code"].number()
    store = node["trust_store"].one_of(TrustStore)
    return VerifyResult(code, verify_code_name(code), store, node["depth"].maybe(Node.number))


def _name(node: Node) -> Name:
    found: list[Attribute] = []
    for key, value in node.pairs():
        values = value.items() if isinstance(value.value, list) else (value,)
        found += [Attribute(key, v.text()) for v in values]
    return Name(tuple(found))


def _texts(node: Node) -> tuple[str, ...]:
    return tuple(n.text() for n in node.items())


def _certificate(node: Node) -> CertificateFacts:
    return CertificateFacts(
        subject=_name(node["subject"]),
        issuer=_name(node["issuer"]),
        serial=node["serial"].maybe(Node.text),
        not_before=node["not_before"].maybe(Node.moment),
        not_after=node["not_after"].maybe(Node.moment),
        dns_names=node["dns_names"].maybe(_texts),
        ip_addresses=node["ip_addresses"].maybe(_texts),
        sha256=node["sha256"].maybe(Node.text),
        key_sha256=node["key_sha256"].maybe(Node.text),
        key=node["key"].maybe(Node.text),
        signature_hash=node["signature_hash"].maybe(Node.text),
        is_authority=node["is_authority"].maybe(Node.truth),
        authority_key_identifier=node["authority_key_identifier"].maybe(Node.text),
        subject_key_identifier=node["subject_key_identifier"].maybe(Node.text),
        timestamps=node["timestamps"].maybe(lambda n: tuple(t.moment() for t in n.items())),
        has_revocation_pointers=node["has_revocation_pointers"].maybe(Node.truth),
        pem=node["pem"].maybe(Node.text),
    )


__all__ = ["opens_report", "read_report"]
