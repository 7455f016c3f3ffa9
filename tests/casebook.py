"""Cases written down: a TOML table becomes a `Case`, so that a rule's cases read like a table.

All keys may be left out:

    like = "genuine"                begin with one of the `USUAL` probes; what is written here wins
    endpoint = "host:port"          default eu2-cloud.acronis.com:443; role, transport as catalogued
    role = "storage"                instead of the catalogued role
    probed = false                  nothing was probed
    derived = false                 no endpoint was found at all
    stages.connect = ["connection-refused", 111]    how a stage ended; later stages: not reached
    proxy = "proxy:3128"
    leaf = {subject = {CN = "x"}, issuer = {O = "y"}, names = ["x"], valid = [-10, 80],
            logged = true, pointers = true, key = "RSA 1024", signature_hash = "sha1",
            authority_key = "hex", key_id = "hex", sha256 = "hex", key_sha256 = "hex"}
                                    days from the probe; logged = [days] also
    leaf = {bare = true, …}         only the two names are known, as in a flattened transcript
    above = [{subject = …, issuer = …}]             further received certificates
    verify = {system = 0, mozilla = 20, role = 0}   verify codes; or [code, depth]
    asked = true, sent = true, authorities = [{O = "Acronis"}]
    own = {subject = …, issuer = …, valid = …}      the agent's certificate that was at hand
    alert = 48, alert_sent = true   0: none; sent: it was ours
    origin = "transcript"           default live; narrowed_by = "-tls1_1": the command's own doing
    version = "TLSv1.3", aftermath = "ticket", ocsp = "revoked", clear_text = "HTTP/1.1"
    minted = true                   the nonsense-name control: true, false (answered otherwise),
                                    "refused" (no certificate), "common-name" (no subjectAltName)
    controls = {silence = "met", same-again = "connection-reset", no-name = "answered"}
                                    "answered": with a certificate for *.acronis.com, "answered-by-
                                    another": with one for another host; else how it ended;
                                    other-port = {443 = "met"}
    lookup = {addresses = ["127.0.0.1"], hosts = ["127.0.0.1"]}    the resolver; the hosts file;
                                    nonsense = []: what the resolver says of a nonsense name
    flow = [unacknowledged, selectively, retransmitted, bytes acknowledged, out of order]
    server_clock = -30              the server-clock control: days from the probe
    addresses = {"192.0.2.1" = "connection-refused"}
    probes = [ {…}, {…} ]           several endpoints instead of one
    suspects = ["port-closed"], proven = true, wrapper = false, symptom = "licence-sync"
    told = {http_status = "503"}    further evidence of the recognised row
    rows = [ {suspects = …}, {…} ]  several recognised rows, outermost first
    code = [626, 307]               the root of the block; block = false: there is none
    frames = [[626, 307], [0, 0]]   the whole chain instead, outermost first
    rows = [ {of = [626, 307], …} ] a row about another frame than the root
    text = '''…'''                  a pasted error instead of code, frames and rows: it is parsed and
                                    looked up; without endpoint or probes, what it names is taken
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from diagnoser import catalog
from diagnoser.diagnosis import open_case
from diagnoser.grammar import read_blocks
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

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NONSENSE = "probe-0123456789abcdef.invalid"
Table = dict[str, Any]

_FRONT_END = {"C": "CH ", "L": "Schaffhausen", "O": "Acronis", "OU": "AcronisStorage"}
_GODADDY = {"C": "US", "O": "GoDaddy.com, Inc.", "CN": "Go Daddy Secure Certificate Authority - G2"}
_STORAGE_CA = {"C": "CH", "O": "Acronis International GmbH", "CN": "Storage CA 7"}
_FORTIGATE = {
    "C": "US",
    "ST": "California",
    "O": "Fortinet",
    "OU": "Certificate Authority",
    "CN": "FGT60F1234567890",
    "emailAddress": "support@fortinet.com",
}
_COMPANY = {"O": "Contoso Ltd", "CN": "Contoso Issuing CA 2"}

USUAL: dict[str, Table] = {
    # A management server as it should be: public CA, publicly logged.
    "genuine": {
        "leaf": {
            "subject": {"CN": "*.acronis.com"},
            "issuer": _GODADDY,
            "logged": True,
            "pointers": True,
        },
        "above": [{"subject": _GODADDY, "issuer": {"O": "GoDaddy.com, Inc.", "CN": "Root G2"}}],
        "verify": {"system": 0, "mozilla": 0},
    },
    # Acronis storage as a probe without the agent's certificate meets it (KB 70285).
    "genuine-storage": {
        "endpoint": "baas-fes-eu3.acronis.com:44445",
        "leaf": {
            "subject": _FRONT_END | {"CN": "Front End Server"},
            "issuer": _STORAGE_CA,
            "names": [],
        },
        "verify": {"system": 20, "mozilla": 20},
        "asked": True,
        "authorities": [_STORAGE_CA],
        "stages": {"handshake": ["client-certificate-refused", 116]},
        "alert": 116,
    },
    # A firewall whose product name stands in the issuer.
    "fortinet": {
        "leaf": {"subject": {"CN": "*.acronis.com"}, "issuer": _FORTIGATE},
        "above": [{"subject": _FORTIGATE, "issuer": _FORTIGATE}],
        "verify": {"system": 19, "mozilla": 19},
    },
    # A firewall that signs with the company's own CA, under no product's name.
    "company": {
        "leaf": {"subject": {"CN": "*.acronis.com"}, "issuer": _COMPANY, "valid": [-400, 300]},
        "verify": {"system": 20, "mozilla": 20},
    },
    # A management server of the customer's own, as installed.
    "private": {
        "endpoint": "backup01.contoso.example:9877",
        "leaf": {
            "subject": {"CN": "backup01.contoso.example"},
            "issuer": {"CN": "backup01.contoso.example"},
            "names": ["backup01.contoso.example"],
            "valid": [-2, 3650],
        },
        "verify": {"system": 18, "mozilla": 18},
    },
}


_KEYS = {
    "like", "endpoint", "role", "probed", "derived", "stages", "proxy", "leaf", "above", "verify",
    "asked", "sent", "authorities", "alert", "alert_sent", "version", "aftermath", "ocsp",
    "clear_text", "minted", "server_clock", "addresses", "probes", "suspects", "proven",
    "controls", "flow", "own", "lookup", "wrapper", "symptom", "told", "rows", "code", "block",
    "frames", "expect", "cause", "standing", "origin", "narrowed_by", "text",
}  # fmt: skip


def make_case(table: Table) -> Case:
    """The case of one table; a key that is not of the language above is a ``KeyError``."""
    if "text" in table:
        return _case_of_text(table)
    probes = [_completed(p) for p in table.get("probes", [table])]
    if not table.get("derived", True):
        probes = []
    endpoints = tuple(_endpoint(p) for p in probes)
    results = tuple(
        _probe(p, e) for p, e in zip(probes, endpoints, strict=True) if p.get("probed", True)
    )
    return Case(
        block=_block(table) if table.get("block", True) else None,
        endpoints=endpoints,
        probes=results,
        recognised=_recognised(table),
    )


def _case_of_text(table: Table) -> Case:
    """The one error of a pasted text, with the probes of the table at the endpoints it names."""
    (block,) = read_blocks(table["text"], "error.txt").blocks
    opened = open_case(block)
    named = {str(e): e for e in opened.endpoints}
    given = table.get("probes", [table])
    if "probes" not in table and "endpoint" not in table:
        given = [table | {"endpoint": e} for e in named]
    tables = [p for p in map(_completed, given) if p.get("probed", True)]
    return replace(opened, probes=tuple(_probe(p, named[p["endpoint"]]) for p in tables))


def _completed(table: Table) -> Table:
    usual = USUAL[table["like"]] if "like" in table else {}
    # A misspelt key would be a test that tests something else.
    if unknown := table.keys() - _KEYS:
        raise KeyError(min(unknown))
    found = usual | table
    if "leaf" in usual and "leaf" in table:
        found["leaf"] = usual["leaf"] | table["leaf"]
    return found


def _block(table: Table) -> ErrorBlock:
    at = Location("error.txt", 1)
    frames = tuple(
        ErrorFrame(module, code, None, (), "message", at) for module, code in _chain(table)
    )
    return ErrorBlock("labelled", "en", frames, at, "")


def _chain(table: Table) -> list[list[int]]:
    return list(table.get("frames", [table.get("code", [626, 307])]))


def _recognised(table: Table) -> tuple[Recognition, ...]:
    if "rows" in table:
        return tuple(_row(r, table) for r in table["rows"])
    return (_row(table, table),) if {"suspects", "told", "symptom"} & table.keys() else ()


def _row(row: Table, table: Table) -> Recognition:
    table, (module, code) = row, row.get("of", _chain(table)[-1])
    told = table.get("told", {})
    evidence = (
        Evidence("error_code", f"{module}/{code}", "error.txt:1"),
        *(Evidence(k, v, "error.txt:1") for k, v in told.items()),
    )
    return Recognition(
        "errors",
        "row",
        evidence,
        tuple(table.get("suspects", ())),
        Symptom(table["symptom"]) if "symptom" in table else None,
        table.get("proven", False),
        table.get("wrapper", False),
    )


def _endpoint(table: Table) -> Endpoint:
    host, _, port = table.get("endpoint", "eu2-cloud.acronis.com:443").rpartition(":")
    role = Role(table["role"]) if "role" in table else catalog.role_of(host, int(port))[0]
    row = catalog.roles().get(role)
    known = catalog.port_row(int(port))
    return Endpoint(
        host=host,
        port=int(port),
        role=role,
        server_name=host,
        client_certificate=row.client_certificate if row else False,
        transport=known.transport if known else Transport.TLS,
    )


def _stages(table: Table) -> tuple[StageResult, ...]:
    given = table.get("stages", {})
    found, reached = [], True
    for stage in Stage:
        word, number = Condition.MET.value, None
        if stage.value in given:
            value = given[stage.value]
            word, number = value if isinstance(value, list) else (value, None)
        if not reached:
            word, number = Condition.NOT_REACHED.value, None
        found.append(StageResult(stage, Condition(word), "", 0.001, number))
        # A refused chain or client certificate still leaves a chain to verify.
        reached = reached and Condition(word) in (
            Condition.MET,
            Condition.CLIENT_CERTIFICATE_REFUSED,
        )
    return tuple(found)


def _probe(table: Table, endpoint: Endpoint) -> ProbeResult:
    stages = _stages(table)
    connected = stages[2].condition is Condition.MET
    speaks = connected and endpoint.transport is Transport.TLS
    return ProbeResult(
        endpoint=endpoint,
        stages=stages,
        at=NOW,
        vantage="machine",
        origin=Origin(table.get("origin", "live")),
        tls=_tls(table) if speaks else None,
        addresses=tuple(
            AddressResult(a, endpoint.port, Condition(c))
            for a, c in table.get("addresses", {}).items()
        ),
        controls=_controls(table),
        proxy=table.get("proxy"),
        lookup=_lookup(table),
    )


def _lookup(table: Table) -> Lookup | None:
    found = table.get("lookup")
    if found is None:
        return None
    nonsense = tuple(found["nonsense"]) if "nonsense" in found else None
    return Lookup(tuple(found["addresses"]), tuple(found.get("hosts", ())), nonsense)


def _name(table: Table) -> Name:
    return Name(tuple(Attribute(k, v) for k, v in table.items()))


def certificate(table: Table) -> CertificateFacts:
    if table.get("bare"):
        return CertificateFacts(subject=_name(table["subject"]), issuer=_name(table["issuer"]))
    first, last = table.get("valid", [-30, 60])
    logged = table.get("logged", False)
    days = logged if isinstance(logged, list) else [first] if logged else []
    names = table.get("names")
    return CertificateFacts(
        subject=_name(table.get("subject", {"CN": "eu2-cloud.acronis.com"})),
        issuer=_name(table.get("issuer", {"O": "Unknown CA"})),
        not_before=NOW + timedelta(days=first),
        not_after=NOW + timedelta(days=last),
        dns_names=tuple(names) if names is not None else ("*.acronis.com",),
        timestamps=tuple(NOW + timedelta(days=d) for d in days),
        has_revocation_pointers=table.get("pointers", False),
        is_authority=False,
        key=table.get("key", "RSA 2048"),
        signature_hash=table.get("signature_hash", "sha256"),
        authority_key_identifier=table.get("authority_key"),
        subject_key_identifier=table.get("key_id"),
        sha256=table.get("sha256"),
        key_sha256=table.get("key_sha256"),
    )


def _tls(table: Table) -> TlsFacts:
    chain = (table["leaf"], *table.get("above", ())) if "leaf" in table else ()
    verify = []
    for store, value in table.get("verify", {}).items():
        code, depth = value if isinstance(value, list) else (value, 0)
        verify.append(VerifyResult(code, verify_code_name(code), TrustStore(store), depth))
    number = table.get("alert") or None
    finished = table.get("stages", {}).get("handshake", "met") == "met"
    direction = Direction.SENT if table.get("alert_sent") else Direction.RECEIVED
    return TlsFacts(
        version=table.get("version", "TLSv1.3"),
        alert=None if number is None else Alert(2, number, alert_name(number), direction),
        verify=tuple(verify),
        received_chain=tuple(certificate(c) for c in chain),
        # Without a finished handshake nobody knows whether a request would have come.
        client_certificate_requested=table.get("asked", False if finished else None),
        client_certificate_sent=table.get("sent", False),
        client_ca_names=tuple(_name(n) for n in table.get("authorities", ())),
        aftermath=Aftermath(table["aftermath"]) if "aftermath" in table else None,
        clear_text=table.get("clear_text"),
        ocsp=table.get("ocsp"),
        client_certificate=certificate(table["own"]) if "own" in table else None,
        client_certificate_source="agent.crt" if "own" in table else None,
        narrowed_by=table.get("narrowed_by"),
        flow=TcpFlow(*table["flow"]) if "flow" in table else None,
    )


def _controls(table: Table) -> tuple[ControlResult, ...]:
    found = []
    if "minted" in table:
        found.append(_nonsense_control(table["minted"]))
    if "server_clock" in table:
        found.append(
            ControlResult(
                Control.SERVER_CLOCK,
                "HEAD /",
                Condition.MET,
                answered_at=NOW + timedelta(days=table["server_clock"]),
            )
        )
    for word, answer in table.get("controls", {}).items():
        answers = answer if isinstance(answer, dict) else {"": answer}
        found += [_control(Control(word), q, a) for q, a in answers.items()]
    return tuple(found)


def _control(control: Control, question: str, answer: str) -> ControlResult:
    names = {"answered": ["*.acronis.com"], "answered-by-another": ["parked.example"]}.get(answer)
    if names is None:
        return ControlResult(control, question, Condition(answer))
    shown = certificate({"subject": {"CN": names[0]}, "names": names})
    return ControlResult(control, question, Condition.MET, "", shown)


def _nonsense_control(answer: bool | str) -> ControlResult:
    if answer == "refused":
        return ControlResult(Control.NONSENSE_NAME, NONSENSE, Condition.FATAL_ALERT)
    table: Table = {"names": ["*.acronis.com"]}
    if answer == "common-name":
        table = {"subject": {"CN": NONSENSE}, "names": []}
    elif answer is True:
        table = {"names": [NONSENSE]}
    return ControlResult(Control.NONSENSE_NAME, NONSENSE, Condition.MET, "", certificate(table))
