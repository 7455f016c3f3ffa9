"""What consoles, mail and people do to a transcript: none of it may change what it says."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from diagnoser.diagnosis import Inquiry, diagnose, judge
from diagnoser.evidence import Collected, Kind, detect, drop_secrets, join, read_transcripts
from diagnoser.grammar import read_blocks
from diagnoser.model import ProbeResult, Report, Vantage
from diagnoser.probing import Trust
from diagnoser.reading.encodings import decode
from diagnoser.reports import FORMATS, render

FILES = Path(__file__).with_name("transcripts")
AT = datetime(2026, 11, 24, tzinfo=UTC)
VANTAGE = Vantage("support01", "Linux", "test")
PUBLIC = Trust(None, (FILES / "public-root.pem").read_bytes(), None)
STDERR = re.compile(
    r"depth=|verify (?:error|return):|[0-9A-F]{8,16}:error:|Connecting to |\w+:errno=|Can't use"
)
NAMES = sorted(p.name for p in FILES.glob("openssl-3*.txt") if "powershell" not in p.name)


def text_of(name: str) -> str:
    return decode((FILES / name).read_bytes())


def record(line: str, command: str, width: int, position: str = "At line:1 char:1") -> list[str]:
    """``line`` as Windows PowerShell 5.1 sets what a program writes to stderr first."""
    found = [
        f"openssl.exe : {line}",
        position,
        f"+ {command}",
        "+ " + "~" * len(command),
        f"    + CategoryInfo          : NotSpecified: ({line[:40]}:String) [], RemoteException",
        "    + FullyQualifiedErrorId : NativeCommandError",
        " ",
    ]
    return [piece[i : i + width] for piece in found for i in range(0, len(piece), width)]


def powershell(text: str, width: int = 119, *, prompt: bool = True, **more: str) -> str:
    """A transcript as ``openssl … > FILE 2>&1`` leaves it in Windows PowerShell."""
    first, *lines = text.split("\n")
    command = first.removeprefix("$ ") + " > output3.txt"
    told = next((i for i, line in enumerate(lines) if STDERR.match(line)), None)
    if told is not None:
        lines[told : told + 1] = record(lines[told], command, width, **more)
    return "\r\n".join([f"PS C:\\Users\\a> {command}"] * prompt + lines)


def probes_of(data: bytes) -> tuple[ProbeResult, ...]:
    assert detect(data) is Kind.TRANSCRIPT
    return read_transcripts(decode(data), "output3.txt", AT, PUBLIC)


def told(probes: tuple[ProbeResult, ...]) -> list[tuple[str, str]]:
    """Endpoint and cause of each case, in their order."""
    found = []
    for case in join((), probes):
        cause = judge(case).cause
        found.append((str(case.endpoints[0]), cause.rule if cause else "none"))
    return found


ENCODINGS = {
    "utf-16-le-mark": lambda t: b"\xff\xfe" + t.encode("utf-16-le"),
    "utf-16-be-mark": lambda t: b"\xfe\xff" + t.encode("utf-16-be"),
    "utf-16-le": lambda t: t.encode("utf-16-le"),
    "utf-16-be": lambda t: t.encode("utf-16-be"),
    "utf-8": lambda t: t.encode(),
    "utf-8-mark": lambda t: t.encode("utf-8-sig"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("width", [79, 119, 1000])
def test_powershell_changes_nothing(encoding: str, width: int) -> None:
    for name in NAMES:
        plain = text_of(name)
        if not plain.startswith("$ "):
            continue
        probes = probes_of(ENCODINGS[encoding](powershell(plain, width)))
        assert told(probes) == told(read_transcripts(plain, "x", AT, PUBLIC)), name


@pytest.mark.parametrize(
    "position",
    ["At line:1 char:1", "発生場所 行:1 文字:1", "In Zeile:1 Zeichen:1", r"At C:\a\t.ps1:3 char:5"],
)
def test_the_command_that_a_record_quotes_names_the_host(position: str) -> None:
    for name in ("openssl-3.0-refused.txt", "openssl-3.0-management12.txt"):
        pasted = powershell(text_of(name), prompt=False, position=position)
        (found,) = told(probes_of(pasted.encode()))
        assert found[0] == "rs-us5-cloud.acronis.com:8443"


def test_a_record_in_the_middle_of_its_run_does_not_cut_it() -> None:
    text = text_of("openssl-3.0-management12.txt")
    text = text.replace("CONNECTED(00000003)\n", "").replace(
        "depth=1", "CONNECTED(00000003)\ndepth=1", 1
    )
    (found,) = told(probes_of(powershell(text, prompt=False).encode()))
    assert found == ("rs-us5-cloud.acronis.com:8443", "endpoint-healthy")


def test_runs_that_powershell_appended_to_one_file_stay_apart() -> None:
    names = ("dns", "fortinet", "refused", "version")
    text = "\r\n".join(powershell(text_of(f"openssl-3.0-{n}.txt"), prompt=False) for n in names)
    assert told(probes_of(text.encode("utf-16")))[:3] == [
        ("rs-nowhere.acronis.com:8443", "name-lookup-failed"),
        ("baas-fes-us5.acronis.com:44445", "tls-intercepted"),
        # Refused in one run, an old version in the next: both are told.
        ("rs-us5-cloud.acronis.com:8443", "port-closed"),
    ]
    conditions = [p.stages[1].condition.value for p in probes_of(text.encode("utf-16"))]
    assert conditions == ["not-reached", "met", "connection-refused", "met"]


def test_a_command_that_the_record_shortened_does_not_name_half_a_host() -> None:
    text = powershell(text_of("openssl-3.0-refused.txt"), prompt=False)
    cut = text.replace("cloud.acronis.com:8443 2>&1 > output3.txt", "clo ...")
    assert "rs-us5-clo ..." in cut
    (probe,) = probes_of(cut.encode())
    assert probe.endpoint.host == "unknown-host.invalid"


def chain_of(name: str) -> str:
    found = re.search(r"Certificate chain\n(.*?)---\nServer", text_of(name), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("head", ["", "Certificate chain\n", "CONNECTED(00000003)\n---\n"])
@pytest.mark.parametrize("between", ["", "\n", "---\n"])
@pytest.mark.parametrize("flat", [False, True])
def test_two_chains_without_a_heading_are_two_runs(head: str, between: str, *, flat: bool) -> None:
    good, bad = "openssl-3.0-management12.txt", "openssl-3.0-fortinet.txt"
    for order in ((good, bad), (bad, good)):
        text = head + between.join(map(chain_of, order))
        probes = probes_of((text.replace("\n", " ") if flat else text).encode())
        chains = [len(p.tls.received_chain) for p in probes if p.tls]
        assert chains == [2, 2]
        # Nobody knows whom they are of, so neither explains nor replaces the other.
        causes = {order[i]: cause for i, (_, cause) in enumerate(told(probes))}
        assert causes == {good: "none", bad: "tls-intercepted"}


SECRETS = (
    "Master-Key: 8F0C2A5E" + "7B" * 44,
    "Resumption PSK: 8F0C2A5E" + "7B" * 44,
    "PSK identity: 8F0C2A5E7B7B",
    "Session-ID: 8F0C2A5E" + "7B" * 28,
    "Session-ID-ctx: 8F0C2A5E",
    "Key-Arg   : 8F0C2A5E",
    "TLS session ticket:\n    0000 - 8f 0c 2a 5e 7b 7b 7b 7b-8f 0c 2a 5e 7b 7b 7b 7b   .x*^secr.",
)
BLOCK = """Error code: 307
Module: 626
LineInfo: 0x50e61e3e2e723ba3
Fields: {"$module":"isk_bundle_vsa64_26986","address":"rs-us5-cloud.acronis.com","port":"8443"}
Message: Could not perform SSL_write() call:
"""


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("block", ["", BLOCK])
def test_secrets_stay_at_the_door(secret: str, block: str, *, flat: bool) -> None:
    text = text_of("openssl-3.0-management12.txt")
    text = text.replace("SSL-Session:\n", f"SSL-Session:\n    {secret}\n")
    text = text.replace("\n", " ") if flat else text
    # What follows an error may count as its message, so the whole file goes through the door.
    blocks = read_blocks(drop_secrets(block + text), "error.txt").blocks if block else ()
    collected = Collected(read_transcripts(block + text, "error.txt", AT, PUBLIC))
    diagnoses = diagnose(blocks, Inquiry(None, None, VANTAGE), collected)
    assert len(diagnoses) == 1
    assert len(diagnoses[0].case.probes) == 1
    shown = [render(Report("0", AT, VANTAGE, diagnoses), form, "en") for form in FORMATS]
    for said in (*shown, repr(collected), repr(diagnoses)):
        assert "8F0C2A5E" not in said
        assert "8f 0c 2a 5e" not in said
    assert drop_secrets(block + text).count("\n") == (block + text).count("\n")


@pytest.mark.parametrize(
    "hostile",
    [
        "openssl.exe : x\nAt line:1 char:1\n+ s_client\n" * 20_000,
        "openssl.exe : \n" + ":1 " * 300_000,
        "depth=1 " * 100_000,
        "Acceptable client certificate CA names\n" * 30_000,
        "0 s:C=US, " * 100_000,
        "-----BEGIN CERTIFICATE-----\nMIIB" * 30_000,
        "verify error:num=19:" * 50_000,
        "\n0000 - aa " * 100_000,
        "> > > > " * 100_000,
        " \t" * 300_000,
    ],
    ids=lambda text: text[:12].strip() or "blanks",
)
def test_a_megabyte_of_anything_takes_a_moment(hostile: str) -> None:
    begun = time.perf_counter()
    read_transcripts("CONNECTED(00000003)\n" + hostile, "x", AT)
    assert time.perf_counter() - begun < 8
