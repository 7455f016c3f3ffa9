"""The nouns: frozen values that cross module borders, and the ports behind which I/O happens.

Nothing here imports another module of the package, opens anything or decides anything. A value is
complete when it is made: ``None`` means "not known from this vantage", never "no".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

# Marks a field whose strings are made of digits by this program, never taken from an input.
OWN_WORDS = {"own_words": True}


class Stage(StrEnum):
    """The layers of one probe, in the order in which they are reached."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TUNNEL = "tunnel"
    HANDSHAKE = "handshake"
    VERIFY = "verify"


class Condition(StrEnum):
    """How a stage ended; told by exception type, errno, alert number or verify code."""

    MET = "met"
    NAME_NOT_FOUND = "name-not-found"
    NAME_LOOKUP_FAILED = "name-lookup-failed"
    CONNECTION_REFUSED = "connection-refused"
    CONNECTION_TIMED_OUT = "connection-timed-out"
    NETWORK_UNREACHABLE = "network-unreachable"
    TUNNEL_REFUSED = "tunnel-refused"
    PROXY_AUTHENTICATION_REQUIRED = "proxy-authentication-required"
    CONNECTION_RESET = "connection-reset"
    CONNECTION_CLOSED = "connection-closed"
    HANDSHAKE_TIMED_OUT = "handshake-timed-out"
    FATAL_ALERT = "fatal-alert"
    NOT_TLS = "not-tls"
    CERTIFICATE_REJECTED = "certificate-rejected"
    CLIENT_CERTIFICATE_REFUSED = "client-certificate-refused"
    NOT_REACHED = "not-reached"
    UNCLASSIFIED = "unclassified"


class Standing(StrEnum):
    """What a rule says of a case. There is no fifth answer and no silence."""

    APPLIES = "applies"
    SUSPECTED = "suspected"
    RULED_OUT = "ruled-out"
    UNDECIDED = "undecided"


class Category(StrEnum):
    """The stable word for a family of causes; tools read this."""

    CLOSED_PORT = "closed-port"
    MITM_CERTIFICATE = "mitm-certificate"
    LICENCE_SYNC = "licence-sync"
    DNS = "dns"
    PROXY = "proxy"
    CLOCK = "clock"
    CERTIFICATE = "certificate"
    CLIENT_CERTIFICATE = "client-certificate"
    PROTOCOL = "protocol"
    SERVER = "server"
    LOCAL_SERVICE = "local-service"
    NOT_NETWORK = "not-network"
    NONE = "none"
    UNKNOWN = "unknown"


class Symptom(StrEnum):
    """What the user sees fail; stands beside the cause."""

    LICENCE_SYNC = "licence-sync"
    BACKUP = "backup"
    REGISTRATION = "registration"


class Role(StrEnum):
    """What an endpoint is for; decides its ports, its expected issuer and whether it speaks TLS."""

    MANAGEMENT = "management"
    REGISTRATION = "registration"
    STORAGE = "storage"
    AGENT_CHANNEL = "agent-channel"
    ACCOUNT = "account"
    DOWNLOAD = "download"
    ON_PREMISES = "on-premises"
    UNKNOWN = "unknown"


class Transport(StrEnum):
    """What is spoken on a port: TLS, or something of which only the connection can be tested."""

    TLS = "tls"
    TCP = "tcp"


class TrustStore(StrEnum):
    """Whose opinion a verification is.

    ``SYSTEM`` is this machine's own store, ``MOZILLA`` the public bundle, ``ROLE`` the anchors
    that the endpoint's role (or ``--ca-file``) names. ``UNKNOWN`` is the store of a command that
    chose its own roots, or that nobody has shown.
    """

    SYSTEM = "system"
    MOZILLA = "mozilla"
    ROLE = "role"
    UNKNOWN = "unknown"


class Origin(StrEnum):
    """Where the facts of a probe come from."""

    LIVE = "live"
    TRANSCRIPT = "transcript"
    CAPTURE = "capture"


class Direction(StrEnum):
    """Who sent an alert, seen from the probe."""

    RECEIVED = "received"
    SENT = "sent"


class Aftermath(StrEnum):
    """What the first read after a handshake met; TLS 1.3 refuses late (RFC 8446 4.4.2.4)."""

    TICKET = "ticket"
    DATA = "data"
    SILENCE = "silence"
    ALERT = "alert"
    CLOSED = "closed"
    RESET = "reset"


class Control(StrEnum):
    """An extra exchange made to decide between explanations of the main one."""

    NONSENSE_NAME = "nonsense-name"
    SERVER_CLOCK = "server-clock"
    SILENCE = "silence"
    SAME_AGAIN = "same-again"
    NO_NAME = "no-name"
    SPLIT_NAME = "split-name"
    LONGER_NAME = "longer-name"
    TLS_1_2_AT_MOST = "tls-1.2-at-most"
    TLS_1_3_ONLY = "tls-1.3-only"
    LARGE_HELLO = "large-hello"
    PLAIN_HTTP = "plain-http"
    OTHER_PORT = "other-port"
    OTHER_ADDRESS = "other-address"
    DIRECT = "direct"
    TOGETHER = "together"
    SHUT_OUT = "shut-out"


@dataclass(frozen=True, slots=True)
class Location:
    """A place in an input: ``source`` as the user named it, ``line`` from 1."""

    source: str
    line: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact with its value and origin: ``file:line``, a stage, or ``catalogue``.

    ``fact`` is a stable snake_case key; the words files translate it and use it as placeholder.
    """

    fact: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was seen and left alone, with the reason; it is listed in every report."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class RawBlock:
    """Text that a form's framer cut out; ``at`` is its first line. Not yet parsed."""

    form: str
    text: str
    at: Location


@dataclass(frozen=True, slots=True)
class Field:
    """One named value of an error frame; keys may repeat, order is the input's.

    ``path`` is empty for a field of the block itself and names the way in (``httpBody/origin``)
    for one that stood inside an escaped document.
    """

    key: str
    value: str
    at: Location
    path: str = ""


@dataclass(frozen=True, slots=True)
class ErrorFrame:
    """One link of an error chain: a 16-bit module, a 16-bit code, fields and a message.

    Agents written in Go, tools and gateways name their errors instead of numbering them: there
    ``symbol`` is the name (``AGENT_CORE/UNKNOWN_CA``) and module and code are not known.
    """

    module: int | None
    code: int | None
    line_info: str | None
    fields: tuple[Field, ...]
    message: str | None
    at: Location
    symbol: str | None = None

    @property
    def packed(self) -> int | None:
        """``module << 16 | code``, the number behind every rendering of the error."""
        if self.module is None or self.code is None:
            return None
        return self.module << 16 | self.code

    @property
    def name(self) -> str:
        """``module/code`` in decimal, as the Knowledge Base writes it, or the symbol."""
        if self.symbol is not None or self.packed is None:
            return self.symbol or "unnumbered"
        return f"{self.module}/{self.code}"

    def value(self, key: str) -> str | None:
        """The last value of the frame's own field ``key``; fields inside documents do not count."""
        own = (f.value for f in reversed(self.fields) if f.key == key and not f.path)
        return next(own, None)


@dataclass(frozen=True, slots=True)
class Cut:
    """The end of a line and the beginning of the next, where a word may have been cut in two.

    Neither half may be taken for the whole.
    """

    tail: str
    head: str


@dataclass(frozen=True, slots=True)
class ErrorBlock:
    """A parsed error: frames outermost effect first, root cause last; at least one frame.

    ``text`` is what was framed, ``language`` an ISO 639 code or ``None`` where only the shape was
    recognised, ``damage`` says in words what could not be read as it stood (cut off, broken JSON).
    ``cuts`` are the places at which somebody may have wrapped its text inside a word.
    """

    form: str
    language: str | None
    frames: tuple[ErrorFrame, ...]
    at: Location
    text: str
    damage: tuple[str, ...] = ()
    occurred_at: str | None = None
    cuts: tuple[Cut, ...] = ()

    @property
    def root(self) -> ErrorFrame:
        """The innermost frame: the cause that the chain ends with."""
        return self.frames[-1]


@dataclass(frozen=True, slots=True)
class Sighting:
    """An error that a log holds ``count`` times, alike but for times and identifiers.

    ``block`` is the first of them. ``times`` are minutes (``2026-11-20T10:15``) with the number of
    errors in each, ascending; empty where the log writes no times. ``surroundings`` are settings
    that the log shows beside it.
    """

    block: ErrorBlock
    count: int = 1
    first_seen: str | None = None
    last_seen: str | None = None
    times: tuple[tuple[str, int], ...] = field(default=(), metadata=OWN_WORDS)
    surroundings: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing to connect to, and how it was found.

    ``server_name`` is the SNI value (RFC 6066 section 3), ``None`` for an address literal.
    ``client_certificate`` reads "this role wants the agent's certificate".
    """

    host: str
    port: int
    role: Role
    server_name: str | None
    client_certificate: bool
    transport: Transport
    derivation: tuple[Evidence, ...] = ()

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def key(self) -> tuple[str, int, str | None]:
        """What makes two endpoints one connection: host, port, server name."""
        return (self.host, self.port, self.server_name)


@dataclass(frozen=True, slots=True)
class Derivation:
    """What an error block yields: endpoints to probe and traps that only look like one."""

    endpoints: tuple[Endpoint, ...]
    refused: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a distinguished name: usual short name (``CN O OU C ST L emailAddress``
    or a dotted OID) and value, unchanged (the storage certificate has ``C`` = ``"CH "``)."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """A distinguished name, most general attribute first as received."""

    attributes: tuple[Attribute, ...]

    def values(self, key: str) -> tuple[str, ...]:
        """All values of attribute ``key``."""
        return tuple(a.value for a in self.attributes if a.key == key)

    def first(self, key: str) -> str | None:
        """The first value of attribute ``key``, or ``None``."""
        return next((a.value for a in self.attributes if a.key == key), None)

    def __str__(self) -> str:
        return ", ".join(f"{a.key}={a.value}" for a in self.attributes)


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """One certificate, read once. Times are UTC; digests and key identifiers lower-case hex.

    Everything but the two names may be ``None``: a flattened transcript shows only those.
    """

    subject: Name
    issuer: Name
    serial: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    dns_names: tuple[str, ...] | None = None
    ip_addresses: tuple[str, ...] | None = None
    sha256: str | None = None
    key_sha256: str | None = None
    key: str | None = None
    signature_hash: str | None = None
    is_authority: bool | None = None
    authority_key_identifier: str | None = None
    subject_key_identifier: str | None = None
    timestamps: tuple[datetime, ...] | None = None
    has_revocation_pointers: bool | None = None
    pem: str | None = None

    @property
    def is_self_issued(self) -> bool:
        """Subject and issuer are the same name (RFC 5280 section 3.2)."""
        return self.subject == self.issuer


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """First fault of one path verification: OpenSSL verify code, its name, and whose opinion it is.

    Code 0 is success. ``depth`` counts from the end-entity certificate (0).
    """

    code: int
    name: str
    trust_store: TrustStore
    depth: int | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """A TLS alert (RFC 8446 section 6): ``level`` 1 warning or 2 fatal, ``number``, its name."""

    level: int
    number: int
    name: str
    direction: Direction

    def __str__(self) -> str:
        return f"{self.name}({self.number})"


@dataclass(frozen=True, slots=True)
class TcpFlow:
    """What the kernel knew of a connection when its time was up (Linux ``TCP_INFO``).

    Segments in flight, of those the selectively acknowledged, retransmissions so far, bytes the
    peer acknowledged (its SYN counts as one), segments that arrived behind a gap.
    """

    unacknowledged: int
    selectively_acknowledged: int
    retransmitted: int
    bytes_acknowledged: int
    out_of_order: int | None = None


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What one handshake showed, whether or not it finished.

    ``client_certificate`` is the one at hand to be presented, ``client_certificate_source`` the
    file it came from. ``verify_at_server_time`` are the opinions at the time that the server itself
    tells, where a date was in doubt. ``narrowed_by`` is the option of the command that took so much
    out of the hello (versions, ciphers, the name) that a refusal says nothing of the peer.
    """

    version: str | None = None
    cipher: str | None = None
    group: str | None = None
    alert: Alert | None = None
    verify: tuple[VerifyResult, ...] = ()
    verify_errors: tuple[VerifyResult, ...] = ()
    received_chain: tuple[CertificateFacts, ...] = ()
    client_certificate_requested: bool | None = None
    client_certificate_sent: bool = False
    client_ca_names: tuple[Name, ...] = ()
    aftermath: Aftermath | None = None
    bytes_sent: int | None = None
    bytes_received: int | None = None
    clear_text: str | None = None
    ocsp: str | None = None
    flow: TcpFlow | None = None
    client_certificate: CertificateFacts | None = None
    client_certificate_source: str | None = None
    verify_at_server_time: tuple[VerifyResult, ...] = ()
    narrowed_by: str | None = None

    @property
    def end_entity(self) -> CertificateFacts | None:
        """The first certificate of the received chain, if one arrived."""
        return self.received_chain[0] if self.received_chain else None

    def verified_by(self, store: TrustStore) -> VerifyResult | None:
        """The opinion of one trust store, or ``None`` if it was not asked."""
        return next((v for v in self.verify if v.trust_store is store), None)


@dataclass(frozen=True, slots=True)
class StageResult:
    """How one stage ended. ``error`` is the number that decided: errno, EAI, HTTP status, alert."""

    stage: Stage
    condition: Condition
    detail: str = ""
    seconds: float | None = None
    error: int | None = None


@dataclass(frozen=True, slots=True)
class AddressResult:
    """One address of the host and how the TCP connection to it ended."""

    address: str
    port: int
    condition: Condition
    seconds: float | None = None
    error: int | None = None


@dataclass(frozen=True, slots=True)
class Lookup:
    """What this machine's resolver said of the host, and what its hosts file says of it.

    Only where the name itself was looked up: not for literals, behind a proxy, or where the user
    leads the connection elsewhere. ``nonsense`` is what the resolver says of a name that cannot
    exist (``.invalid``, RFC 6761 section 6.4), ``None`` where it was not asked or gave no answer.
    """

    addresses: tuple[str, ...]
    hosts_file: tuple[str, ...] = ()
    nonsense: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ControlResult:
    """One extra exchange: what was asked (``question``), how it ended, what it showed.

    ``Condition.MET`` is what a healthy peer does: for ``SILENCE`` that it waits, for the ports that
    they open, for plain HTTP that bytes come back, else that the handshake finishes.
    """

    control: Control
    question: str
    condition: Condition
    detail: str = ""
    certificate: CertificateFacts | None = None
    answered_at: datetime | None = None

    @property
    def is_answered(self) -> bool:
        """The peer got as far as showing a certificate, or did all that was asked of it."""
        return self.condition is Condition.MET or self.certificate is not None


# The fact of a derivation that says: the evidence itself does not name this endpoint.
ASSUMED = "assumed_target"
# That it was asked for another name (SNI) than the host it was connected to.
ASKED_NAME = "asked_name"
# That the evidence does not say when it was made: how the time of the probe was found instead.
ASSUMED_TIME = "assumed_time"


_STAGES = list(Stage)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Everything one endpoint showed from one vantage. Holds every :class:`Stage` exactly once."""

    endpoint: Endpoint
    stages: tuple[StageResult, ...]
    at: datetime
    vantage: str
    origin: Origin
    tls: TlsFacts | None = None
    addresses: tuple[AddressResult, ...] = ()
    controls: tuple[ControlResult, ...] = ()
    proxy: str | None = None
    lookup: Lookup | None = None

    def __post_init__(self) -> None:
        if [s.stage for s in self.stages] != _STAGES:
            raise ValueError("a probe result holds every stage once, in order")

    def stage(self, stage: Stage) -> StageResult:
        """The result of one stage."""
        return next(s for s in self.stages if s.stage is stage)

    @property
    def is_assumed(self) -> bool:
        """The evidence does not say whom it asked; it was taken for this endpoint."""
        return any(e.fact == ASSUMED for e in self.endpoint.derivation)

    @property
    def is_unopened(self) -> bool:
        """Somebody else's connection did not open, and how it failed is not told."""
        connect = self.stage(Stage.CONNECT)
        ended = connect.condition is Condition.UNCLASSIFIED and connect.error is not None
        return ended and self.origin is Origin.TRANSCRIPT and self.proxy is None

    @property
    def asks_otherwise(self) -> bool:
        """It came to TLS with a server name that is not the host's, as the agent's would be."""
        handshake = self.stage(Stage.HANDSHAKE).condition
        return self._asked_name is not None and handshake is not Condition.NOT_REACHED

    @property
    def asked_name(self) -> str | None:
        """The server name that the certificate is held against."""
        return self._asked_name or self.endpoint.server_name

    @property
    def _asked_name(self) -> str | None:
        return next((e.value for e in self.endpoint.derivation if e.fact == ASKED_NAME), None)

    def control(self, control: Control) -> ControlResult | None:
        """The result of one control, or ``None`` if it was not run."""
        return next((c for c in self.controls if c.control is control), None)


def with_own_name(probes: Sequence[ProbeResult]) -> tuple[ProbeResult, ...]:
    """``probes`` without those that asked for another name where their endpoint was asked for its
    own as well: nothing of what they show of TLS is needed then."""
    asked = {p.endpoint.key for p in probes if not p.asks_otherwise}
    return tuple(p for p in probes if not (p.asks_otherwise and p.endpoint.key in asked))


@dataclass(frozen=True, slots=True)
class Recognition:
    """A catalogue row that fits the case.

    ``suspects`` are ids of rules; ``proven`` is the row's mark; ``wrapper`` says that the row names
    only an outer effect and never the cause.
    """

    table: str
    key: str
    evidence: tuple[Evidence, ...]
    suspects: tuple[str, ...] = ()
    symptom: Symptom | None = None
    proven: bool = False
    wrapper: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known of one error: what was pasted, where it points, what the probes showed.

    ``block`` is ``None`` where no error was read (``diagnoser check``, a transcript). ``times``
    are minutes with the number of errors in each (see :class:`Sighting`).
    """

    block: ErrorBlock | None
    endpoints: tuple[Endpoint, ...] = ()
    probes: tuple[ProbeResult, ...] = ()
    recognised: tuple[Recognition, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    count: int = 1
    first_seen: str | None = None
    last_seen: str | None = None
    times: tuple[tuple[str, int], ...] = field(default=(), metadata=OWN_WORDS)
    surroundings: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Vantage:
    """The machine that looked: its name, system and trust store; all of it goes into the report."""

    hostname: str
    system: str
    trust_store: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's answer with the evidence it rests on.

    ``is_hearsay``: a suspicion of the error's words that weighs less than what was seen: about
    certificates where the handshake died before one arrived, or against which evidence speaks that
    is only assumed to be about this endpoint.
    """

    standing: Standing
    evidence: tuple[Evidence, ...] = ()
    is_hearsay: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """A finding with the id and category of the rule that gave it."""

    rule: str
    category: Category
    finding: Finding


# The rule that speaks of the network alone, and what it does not speak against.
_NETWORK_IS_FINE = "endpoint-healthy"
_BEYOND_NETWORK = frozenset(
    {Category.LICENCE_SYNC, Category.NOT_NETWORK, Category.LOCAL_SERVICE, Category.SERVER}
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A judged case: every rule's verdict in rank order; ``cause`` is what to act on."""

    case: Case
    verdicts: tuple[Verdict, ...]

    @property
    def cause(self) -> Verdict | None:
        """The first verdict that applies, else the first that is suspected, else ``None``.

        That the network is fine is no cause of an error where something is suspected that a fine
        network leaves standing. Hearsay stands behind every other suspicion. The last rule,
        ``unexplained``, only says that there is none; it is never the cause.
        """
        applying = self._standing(Standing.APPLIES)
        suspected = self._standing(Standing.SUSPECTED)
        seen = [v for v in suspected if not v.finding.is_hearsay]
        if applying and applying[0].rule == _NETWORK_IS_FINE:
            applying = [v for v in seen if v.category in _BEYOND_NETWORK] + applying
        return next(iter((*applying, *seen, *suspected)), None)

    def _standing(self, standing: Standing) -> list[Verdict]:
        """The verdicts of one standing, in rank order."""
        return [
            v
            for v in self.verdicts
            if v.finding.standing is standing and v.category is not Category.UNKNOWN
        ]

    @property
    def symptom(self) -> Symptom | None:
        """What the user saw fail, as the error itself says."""
        return next((r.symptom for r in reversed(self.case.recognised) if r.symptom), None)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one run has to say: the judged cases, what was left out, who looked and when."""

    version: str
    generated_at: datetime
    vantage: Vantage
    diagnoses: tuple[Diagnosis, ...]
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy to tunnel through. ``login`` and ``password`` never reach a report.

    ``source`` says where the setting was found, ``None`` if the user named the proxy;
    ``is_ambient`` that it was the environment's, which an agent's services do not see.
    """

    host: str
    port: int
    login: str | None = None
    password: str | None = None
    source: str | None = None
    is_ambient: bool = False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"Proxy({self!s})"


@dataclass(frozen=True, slots=True)
class Address:
    """A numeric address and port that a connection is opened to."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Talk(Protocol):
    """One side of a conversation, without the connection: bytes in, bytes out."""

    @property
    def is_over(self) -> bool:
        """Nothing more is wanted."""

    @property
    def deadline(self) -> float:
        """Until when to wait, in seconds of the monotonic clock; hearing may move it."""

    def begin(self) -> bytes:
        """What is said first."""

    def hear(self, data: bytes) -> bytes:
        """The answer to what has arrived, as it came; never raises for what it says."""


class Connection(Protocol):
    """A byte pipe. Errors are ``OSError`` with their errno; end of stream is ``b""``."""

    async def send(self, data: bytes) -> None:
        """Hand over all of ``data``."""

    async def receive(self, limit: int) -> bytes:
        """At least one and at most ``limit`` bytes, or ``b""`` at the end of the stream."""

    async def carry(self, talk: Talk) -> bool:
        """Let ``talk`` hear what arrives and say what it answers.

        True once it is over, false if the stream ended before. What came before that is raised: an
        ``OSError``, or ``TimeoutError`` at the talk's deadline.
        """

    def abort(self) -> None:
        """Drop the connection at once; never waits, never raises."""


@runtime_checkable
class Measured(Protocol):
    """A connection whose kernel can be asked what became of the bytes."""

    def flow(self) -> TcpFlow | None:
        """What has happened so far; ``None`` where the system does not tell."""


@runtime_checkable
class Resolver(Protocol):
    """A network that can say where its answers come from."""

    def hosts_file(self, host: str, port: int) -> tuple[str, ...] | None:
        """The addresses that the hosts file gives ``host``; ``None`` if its name is not used."""


class Network(Protocol):
    """The way out: one implementation owns sockets, tests bring their own."""

    async def resolve(
        self, host: str, port: int, seconds: float | None = None
    ) -> tuple[Address, ...]:
        """All addresses of ``host`` in the system's order; raises ``NameNotFound``,
        ``NameLookupFailed``, and after ``seconds`` a ``TimeoutError`` without a number."""

    async def connect(self, address: Address, seconds: float | None = None) -> Connection:
        """An open connection; raises ``OSError`` with the errno of the refusal, and after
        ``seconds`` a ``TimeoutError`` without one."""
