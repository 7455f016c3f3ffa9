"""The connection opens; does a TLS handshake get through? Decided by who ended it, and how."""

from __future__ import annotations

from diagnoser import catalog
from diagnoser.health import OLD_VERSIONS, hangs_up_unasked
from diagnoser.identifiers import name_matches
from diagnoser.model import (
    Category,
    CertificateFacts,
    Condition,
    Control,
    ControlResult,
    Direction,
    Evidence,
    Finding,
    ProbeResult,
    Stage,
    Standing,
    TcpFlow,
    Transport,
)
from diagnoser.reasoning import by_condition, fact, good_address, met_facts, narrowed, probe_rule
from diagnoser.tls_numbers import PROTOCOL_VERSION

# The hellos that name the host in one piece, as the first one did.
_NAMING = (
    Control.SAME_AGAIN,
    Control.TLS_1_2_AT_MOST,
    Control.TLS_1_3_ONLY,
    Control.LARGE_HELLO,
)
_CUT = (Condition.CONNECTION_RESET, Condition.CONNECTION_CLOSED)
_DIED = (*_CUT, Condition.HANDSHAKE_TIMED_OUT)
_UNOPENED = (
    Condition.CONNECTION_TIMED_OUT,
    Condition.CONNECTION_REFUSED,
    Condition.NETWORK_UNREACHABLE,
)


def _untested(probe: ProbeResult) -> Finding | None:
    """A port that speaks no TLS, or a handshake never begun, decides nothing here."""
    if probe.endpoint.transport is Transport.TCP:
        return Finding(Standing.RULED_OUT, (fact(probe, Stage.CONNECT, "transport", "tcp"),))
    if probe.stage(Stage.HANDSHAKE).condition is Condition.NOT_REACHED:
        return Finding(Standing.UNDECIDED, met_facts(probe, Stage.HANDSHAKE))
    return None


@probe_rule(Category.PROTOCOL)
def not_tls(probe: ProbeResult) -> Finding:
    """The port answers, but not in TLS: a captive portal, a block page, or another service.

    Decided by: the first byte that arrived is no TLS record type (RFC 8446 section 5.1).
    Not to be confused with: a TLS refusal, ``alert-received``.
    """
    if found := _untested(probe):
        return found
    found = by_condition(probe, Stage.HANDSHAKE, Condition.NOT_TLS)
    text = probe.tls.clear_text if probe.tls else None
    shown = (fact(probe, Stage.HANDSHAKE, "clear_text", text),) if text else ()
    return Finding(found.standing, found.evidence + shown)


def _answered(probe: ProbeResult, control: Control) -> bool | None:
    """Whether a variation of the hello was answered; ``None`` where it was not tried."""
    found = probe.control(control)
    return None if found is None else found.is_answered


def _is_ours(probe: ProbeResult, certificate: CertificateFacts) -> bool:
    """The certificate is one for the host that was asked for, or Acronis storage's own."""
    name = probe.endpoint.server_name
    if name is not None and name_matches(name, certificate):
        return True
    issuer = catalog.expected_issuer(certificate.issuer)
    return issuer is not None and issuer.kind == "acronis-storage"


def _named_answers(probe: ProbeResult) -> tuple[Evidence, ...]:
    """Variations that named the host as plainly as the hello that died, and were answered.

    One of them refutes a filter by name. What is answered by turns has several servers behind one
    address, one of them dead, or a path that loses at random.
    """
    return tuple(
        fact(probe, Stage.HANDSHAKE, "named_hello_answered", control.value)
        for control in _NAMING
        if _answered(probe, control)
    )


def _died(probe: ProbeResult, control: Control) -> bool:
    """The connection opened and this hello got no answer on it."""
    found = probe.control(control)
    return found is not None and not found.is_answered and found.condition in _DIED


def _unnamed_answers(probe: ProbeResult) -> tuple[Evidence, ...]:
    """The same peer, with this host's certificate, once it sees another name or none."""
    found = []
    for control, name in (
        (Control.NONSENSE_NAME, "other_name_answered"),
        (Control.NO_NAME, "no_name_answered"),
    ):
        result = probe.control(control)
        if result is None or result.certificate is None:
            continue
        minted = _is_minted(result)
        if minted:
            found.append(fact(probe, Stage.HANDSHAKE, "minted_for_nonsense_name", "yes"))
        if minted or _is_ours(probe, result.certificate):
            shown = result.question or result.certificate.subject
            found.append(fact(probe, Stage.HANDSHAKE, name, shown))
    return tuple(found)


def _is_minted(result: ControlResult) -> bool:
    certificate = result.certificate
    return (
        bool(result.question)
        and certificate is not None
        and name_matches(result.question, certificate)
    )


def _name_proofs(probe: ProbeResult) -> tuple[Evidence, ...]:
    """What only a filter by server name explains: the same peer answers when it is not seen.

    That alone is no proof: a balancer that leads by name, and has lost the server of this one, does
    the same. It puts segments together before it reads them, and does not know a name below the
    host's; a filter falls short of the first, or objects to the second. Who mints is a box itself.
    """
    if _named_answers(probe):
        return ()
    found = _unnamed_answers(probe)
    other = probe.control(Control.NONSENSE_NAME)
    proven = other is not None and _is_minted(other)
    if found and _died(probe, Control.LONGER_NAME):
        longer = probe.control(Control.LONGER_NAME)
        shown = "" if longer is None else longer.question
        found = (*found, fact(probe, Stage.HANDSHAKE, "longer_name_cut", shown))
        proven = True
    if _answered(probe, Control.SPLIT_NAME) and _died(probe, Control.SAME_AGAIN):
        host = probe.endpoint.host
        found = (*found, fact(probe, Stage.HANDSHAKE, "split_name_answered", host))
        proven = True
    return found if proven else ()


def _hints(probe: ProbeResult) -> tuple[Evidence, ...]:
    """What else the second round showed; each narrows the cause, none settles it."""
    found = []
    if _answered(probe, Control.SAME_AGAIN):
        found.append(fact(probe, Stage.HANDSHAKE, "second_try_answered", "yes"))
    if _is_answered_by_turns(probe):
        found += _named_answers(probe)
    elif (
        _answered(probe, Control.TLS_1_2_AT_MOST)
        and _answered(probe, Control.TLS_1_3_ONLY) is False
    ):
        found.append(fact(probe, Stage.HANDSHAKE, "older_tls_answered", "TLSv1.2"))
    plain = probe.control(Control.PLAIN_HTTP)
    if plain is not None and plain.is_answered:
        found.append(fact(probe, Stage.HANDSHAKE, "plain_answered", plain.detail[:80]))
    if not _named_answers(probe) and (unnamed := _unnamed_answers(probe)):
        found += unnamed
        if _answered(probe, Control.LONGER_NAME):
            found.append(fact(probe, Stage.HANDSHAKE, "longer_name_answered", "yes"))
    elif (other := probe.control(Control.NONSENSE_NAME)) is not None and other.certificate:
        found.append(fact(probe, Stage.HANDSHAKE, "other_host_answered", other.certificate.subject))
    return (*found, *good_address(probe), *_unopened_again(probe))


def _unopened_again(probe: ProbeResult) -> tuple[Evidence, ...]:
    """Afterwards not even a connection opened: the way is gone, or shut to this machine."""
    silence = probe.control(Control.SILENCE)
    if silence is None or silence.condition not in _UNOPENED:
        return ()
    return (fact(probe, Stage.HANDSHAKE, "unopened_again", silence.condition.value),)


def _is_answered_by_turns(probe: ProbeResult) -> bool:
    """The same hello, or one that differs by less than its version, got through another time.

    That only TLS 1.2 gets through is no such thing: some boxes on the way cannot read TLS 1.3.
    """
    return any(_answered(probe, c) for c in _NAMING if c is not Control.TLS_1_2_AT_MOST)


@probe_rule(Category.CLOSED_PORT)
def handshake_blocked(probe: ProbeResult) -> Finding:
    """The TCP connection opens, and is cut as soon as the ClientHello is sent.

    Decided by: reset or end of stream before the handshake finished. It is certain where no hello
    with the name in one piece gets through and the same peer answers once it does not see the name:
    when it is split over two segments, or when another name, or none, gets this host's certificate
    and a name below the host's is cut as well. Otherwise suspected: a broken server cuts the
    connection in the same way, or a balancer that leads by name to a server that is down. Undecided
    where such a hello is answered by turns (a dead server among several), and where the peer hangs
    up even on a connection that says nothing.
    Not to be confused with: a refused connection, ``port-closed``; silence, ``handshake-stalled``.
    """
    if found := _untested(probe):
        return found
    found = by_condition(probe, Stage.HANDSHAKE, *_CUT)
    if found.standing is not Standing.APPLIES:
        return found
    tls = probe.tls
    if tls is not None and tls.client_certificate_requested:
        # The hello got through; a peer that hangs up on a certificate, or on a missing one, blocks
        # nothing.
        return Finding(Standing.UNDECIDED, found.evidence)
    if proofs := _name_proofs(probe):
        return Finding(Standing.APPLIES, found.evidence + proofs)
    hints = _hints(probe)
    if hangs_up_unasked(probe):
        shown = fact(probe, Stage.HANDSHAKE, "closed_unasked", "yes")
        # A server that is down behind its balancer does so, and so does a firewall by address.
        return Finding(Standing.UNDECIDED, (*found.evidence, shown))
    if _is_answered_by_turns(probe):
        # Cut once and answered once: nothing filters this hello.
        return Finding(Standing.UNDECIDED, found.evidence + hints)
    return Finding(Standing.SUSPECTED, found.evidence + hints)


def _lost(flow: TcpFlow) -> str:
    """Which side lost the packets: measured with packet filters, a value each."""
    if flow.out_of_order:
        return "answers-lost"
    if flow.bytes_acknowledged > 1 and not flow.unacknowledged:
        return "peer-is-silent"
    if flow.selectively_acknowledged:
        return "large-segments-lost"
    return "hello-lost"


@probe_rule(Category.CLOSED_PORT)
def handshake_stalled(probe: ProbeResult) -> Finding:
    """The TCP connection opens, and the handshake gets no further within the time limit.

    Decided by: no end, no alert and no finished handshake before the deadline. Where the kernel
    tells (Linux TCP_INFO), which packets were lost: the hello, its large segments, or the answer.
    Suspected where the peer acknowledged the hello and kept silent, as a server that hangs does,
    or where nothing tells whether it did; where another try was answered; and where afterwards not
    even a connection opened, since then the whole way is gone, or shut to this machine.
    Not to be confused with: a port where the connection itself gets no answer, ``port-filtered``.
    """
    if found := _untested(probe):
        return found
    found = by_condition(probe, Stage.HANDSHAKE, Condition.HANDSHAKE_TIMED_OUT)
    if found.standing is not Standing.APPLIES:
        return found
    shown = found.evidence
    flow = probe.tls.flow if probe.tls else None
    if flow is not None:
        shown = (*shown, fact(probe, Stage.HANDSHAKE, "lost_packets", _lost(flow)))
    if proofs := _name_proofs(probe):
        return Finding(Standing.APPLIES, shown + proofs)
    shown += _hints(probe)
    answered = probe.tls is not None and bool(probe.tls.bytes_received)
    doubtful = not answered and (flow is None or _lost(flow) == "peer-is-silent")
    if doubtful or _is_answered_by_turns(probe) or _unopened_again(probe):
        return Finding(Standing.SUSPECTED, shown)
    return Finding(Standing.APPLIES, shown)


@probe_rule(Category.PROTOCOL)
def protocol_too_old(probe: ProbeResult) -> Finding:
    """Both sides speak TLS but share no version that is still safe.

    Decided by: alert protocol_version(70) (RFC 8446 section 6.2), or a version below TLS 1.2.
    Undecided where an s_client command chose the version itself (``-tls1_1``).
    Not to be confused with: other refusals, ``alert-received``.
    """
    if found := _untested(probe):
        return found
    facts = met_facts(probe, Stage.HANDSHAKE)
    if shown := narrowed(probe):
        return Finding(Standing.UNDECIDED, facts + shown)
    tls = probe.tls
    if tls is not None and tls.alert is not None and tls.alert.number == PROTOCOL_VERSION:
        return Finding(Standing.APPLIES, (*facts, fact(probe, Stage.HANDSHAKE, "alert", tls.alert)))
    if tls is not None and tls.version in OLD_VERSIONS:
        shown = (fact(probe, Stage.HANDSHAKE, "version", tls.version),)
        if tls.narrowed_by is not None:
            # Who asks for an old version gets it; what the peer would choose is not known.
            shown += (fact(probe, Stage.HANDSHAKE, "narrowed_by", tls.narrowed_by),)
            return Finding(Standing.UNDECIDED, facts + shown)
        return Finding(Standing.APPLIES, facts + shown)
    if probe.stage(Stage.HANDSHAKE).condition in (
        Condition.MET,
        Condition.FATAL_ALERT,
        Condition.CLIENT_CERTIFICATE_REFUSED,
    ):
        return Finding(Standing.RULED_OUT, facts)
    return Finding(Standing.UNDECIDED, facts)


@probe_rule(Category.PROTOCOL)
def alert_received(probe: ProbeResult) -> Finding:
    """The other side ended the handshake with a TLS alert that no other rule explains.

    Decided by: a fatal alert from the other side (RFC 8446 section 6.2), other than
    protocol_version and those that answer a client certificate. A box on the way can send it, too:
    whether another name is answered stands in the evidence.
    Not to be confused with: an alert about the agent's certificate, ``client-certificate-refused``.
    """
    if found := _untested(probe):
        return found
    found = by_condition(probe, Stage.HANDSHAKE, Condition.FATAL_ALERT)
    alert = probe.tls.alert if probe.tls else None
    if found.standing is not Standing.APPLIES or alert is None:
        return found
    shown = (*found.evidence, fact(probe, Stage.HANDSHAKE, "alert", alert))
    if alert.number == PROTOCOL_VERSION or alert.direction is Direction.SENT:
        return Finding(Standing.RULED_OUT, shown)
    return Finding(Standing.APPLIES, shown + _unnamed_answers(probe))


RULES = (not_tls, handshake_blocked, handshake_stalled, protocol_too_old, alert_received)
