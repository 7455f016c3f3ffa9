"""Networks of the tests' own: namespaces with real peers in them, and whole diagnoses made inside.

A :class:`Lab` is one network and one mount namespace. Its loopback interface carries every address
of 203.0.113.0/24 (RFC 5737) and 2001:db8:0:1::10 (RFC 3849), so that a situation is an address: a
packet filter or a server of its own. What is mounted there (resolver, hosts file) this machine
never sees. Diagnoses are asked for as :class:`Errand` values and all made at the same time by one
subprocess inside; they come back whole.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pki
import pytest
from pki import Issued

from diagnoser.diagnosis import Inquiry, Permission, diagnose, investigate, judge, open_check
from diagnoser.grammar import read_blocks
from diagnoser.model import (
    Condition,
    Diagnosis,
    Finding,
    ProbeResult,
    Stage,
    Standing,
    Vantage,
)
from diagnoser.probing import SystemNetwork, Trust, find_proxy, parse_proxy

HERE = Path(__file__).parent
RESOLVER = "203.0.113.53"

_TOOLS = ("unshare", "nsenter", "ip", "nft", "mount")
_SETUP = """
set -e
ip link set lo up mtu 1500 gso_max_size 1500 gso_max_segs 1
ip addr add 203.0.113.1/24 dev lo
mount -t tmpfs -o mode=1777 lab /dev/shm
ip -6 addr add 2001:db8:0:1::10/128 dev lo nodad 2>/dev/null || true
echo ready
exec cat
"""


def why_not(*tools: str) -> str | None:
    """Why no lab can be made here; ``None`` where one can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "needs root for a network namespace"
    missing = [tool for tool in (*_TOOLS, *tools) if which(tool) is None]
    if missing:
        return f"needs {', '.join(missing)}"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "nft", "add", "table", "inet", "lab"],
        check=False,
        capture_output=True,
    )
    return None if tried.returncode == 0 else "namespaces or nftables are not allowed here"


def which(tool: str) -> str | None:
    """A program, also where only root's PATH has it."""
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@dataclass(frozen=True, slots=True)
class Errand:
    """One whole diagnosis: ``target`` is ``host:port`` as after ``diagnoser check``.

    With ``text`` an error is pasted instead. ``proxy`` is a URL; without one, the settings of the
    agent under ``settings`` (a directory that stands for the file system's root) and the variables
    of ``environment`` decide. ``root`` is the PEM of the one root that plays every public CA.
    ``clock`` is what the machine's clock says, ``None`` its own.
    """

    target: str = ""
    text: str = ""
    proxy: str | None = None
    root: bytes = b""
    seconds: float = 2.0
    clock: datetime | None = pki.NOW
    environment: tuple[tuple[str, str], ...] = ()
    settings: Path = Path("/nonexistent")


@dataclass(frozen=True, slots=True)
class Answer:
    """The judged case and how long it took, in seconds."""

    diagnosis: Diagnosis
    seconds: float

    @property
    def probe(self) -> ProbeResult:
        """The one probe of the case."""
        (found,) = self.diagnosis.case.probes
        return found

    def finding(self, rule: str) -> Finding:
        """What one rule says."""
        return next(v.finding for v in self.diagnosis.verdicts if v.rule == rule)

    def facts(self, rule: str) -> dict[str, str]:
        """The evidence of one rule; of a fact that is told twice, the first value."""
        found: dict[str, str] = {}
        for evidence in self.finding(rule).evidence:
            found.setdefault(evidence.fact, evidence.value)
        return found


@dataclass(frozen=True, slots=True)
class Expected:
    """How a situation must end: the stage that decides, the cause, what it rests on.

    ``error`` is the number that decides; several, where versions of a peer differ in it.
    ``excluded`` are rules that must be ruled out by name; no rule about interception may ever be
    more than undecided unless ``accuses``.
    """

    stage: Stage
    condition: Condition
    cause: str
    standing: Standing = Standing.APPLIES
    error: int | tuple[int, ...] | None = None
    evidence: dict[str, str] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    accuses: bool = False

    def check(self, answer: Answer) -> None:
        """Assert all of it, the most telling first."""
        found = answer.diagnosis.cause
        conditions = {s.stage.value: (s.condition.value, s.error) for s in answer.probe.stages}
        assert found is not None, conditions
        assert (found.rule, found.finding.standing) == (self.cause, self.standing), conditions
        decided = answer.probe.stage(self.stage)
        assert decided.condition is self.condition, conditions
        numbers = self.error if isinstance(self.error, tuple) else (self.error,)
        assert decided.error in numbers, conditions
        before = list(Stage)[: list(Stage).index(self.stage)]
        assert {answer.probe.stage(s).condition for s in before} <= {Condition.MET}, conditions
        told = {(e.fact, e.value) for e in found.finding.evidence}
        assert told >= set(self.evidence.items()), told
        not_excluded = {
            r: answer.finding(r).standing
            for r in self.excluded
            if answer.finding(r).standing is not Standing.RULED_OUT
        }
        assert not not_excluded
        if not self.accuses:
            for rule in ("tls-intercepted", "intercepted-and-trusted-here", "box-certificate"):
                telling = (Standing.APPLIES, Standing.SUSPECTED)
                assert answer.finding(rule).standing not in telling, rule


def _signal(program: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, number)


class Lab:
    """One network and mount namespace; see the module."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.chmod(0o755)
        self._programs: list[subprocess.Popen[bytes]] = []
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", _SETUP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n"

    def close(self) -> None:
        """End every program of the lab; the namespaces go with the last of them."""
        for program in reversed(self._programs):
            _signal(program, signal.SIGTERM)
        for program in self._programs:
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(5)
            # Whatever of its group outlived it: faketime stands between nginx and the signal.
            _signal(program, signal.SIGKILL)
            program.wait()
        self._holder.communicate()

    def _inside(self, command: Sequence[str]) -> list[str]:
        target = str(self._holder.pid)
        where = f"--wd={self.directory}"
        return ["nsenter", "--target", target, "--net", "--mount", where, "--", *command]

    def run(self, *command: str, text: bytes = b"", seconds: float = 60) -> bytes:
        """The output of a program in the lab, which must succeed."""
        done = subprocess.run(
            self._inside([which(command[0]) or command[0], *command[1:]]),
            input=text,
            capture_output=True,
            check=False,
            timeout=seconds,
        )
        assert done.returncode == 0, (command, done.stderr.decode())
        return done.stdout

    def start(self, *command: str) -> None:
        """Start a server in the lab; what it says goes to a file beside the lab's others."""
        log = self.directory / f"{Path(command[0]).name}-{len(self._programs)}.log"
        with log.open("wb") as file:
            program = subprocess.Popen(
                self._inside([which(command[0]) or command[0], *command[1:]]),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                start_new_session=True,
                # nginx clears its environment, where libfaketime looks again after ten seconds.
                env={**os.environ, "TZ": "UTC", "FAKETIME_CACHE_DURATION": "86400"},
            )
        self._programs.append(program)

    def write(self, name: str, content: str | bytes) -> Path:
        """A file that programs of the lab can read."""
        path = self.directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(0o644)
        return path

    def filter(self, rules: str) -> None:
        """Packet filter rules, as in a chain of nftables at the input of every address."""
        chain = f"type filter hook input priority 0;\n{rules}"
        self.run(
            "nft", "-f", "-", text=f"table inet lab {{ chain in {{\n{chain}\n}}\n}}\n".encode()
        )

    def mount(self, content: str, place: str) -> None:
        """Put a file in the place of one of this machine's, for the lab alone."""
        path = self.write(place.strip("/").replace("/", "-"), content)
        self.run("mount", "--bind", str(path), place)

    def resolve_by(self, records: str, *, hosts: str = "") -> None:
        """A resolver in the lab: dnsmasq, with these lines of its configuration.

        Names are answered as listed; any other does not exist.
        """
        common = f"listen-address={RESOLVER}\nbind-interfaces\nno-hosts\nno-resolv\nno-daemon\n"
        common += f"user=root\npid-file={self.directory}/dnsmasq.pid\nlocal-service\n"
        path = self.write("dnsmasq.conf", common + "local=/com/\nlocal=/invalid/\n" + records)
        self.start("dnsmasq", "--conf-file=" + str(path))
        self.mount(f"nameserver {RESOLVER}\n", "/etc/resolv.conf")
        self.mount("127.0.0.1 localhost\n" + hosts, "/etc/hosts")
        self.mount("hosts: files dns\n", "/etc/nsswitch.conf")
        self.wait_for(RESOLVER, 53)

    def serve_genuine(
        self, *addresses: str, ports: Sequence[int] = (443, 8443, 44445), clock: str | None = None
    ) -> None:
        """nginx with a genuine chain at these addresses; it answers in HTTP."""
        listening = [f"{a}:{p} ssl" for a in addresses for p in ports]
        block = nginx_tls(self, "genuine", pki.management(), *listening)
        self.serve_http("genuine", block, clock=clock)

    def serve_http(self, name: str, servers: str, *, clock: str | None = None) -> None:
        """nginx with these server blocks."""
        path = self.write(f"{name}.conf", _NGINX.format(place=self.directory, name=name, s=servers))
        command = ["nginx", "-e", "stderr", "-p", str(self.directory), "-c", str(path)]
        self.start(*_at(clock, command))

    def answer(self, errands: Sequence[Errand], *, clock: str | None = None) -> list[Answer]:
        """Make all diagnoses at once, by a process in the lab.

        ``clock`` is what faketime makes that process believe, for errands whose own is ``None``.
        """
        command = [sys.executable, "-W", "error", "-c", "import situations; situations.work()"]
        done = subprocess.run(
            self._inside(_at(clock, command)),
            input=pickle.dumps(list(errands)),
            capture_output=True,
            check=False,
            timeout=90,
            env=_environment(),
        )
        assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()
        answers: list[Answer] = pickle.loads(done.stdout)
        return answers

    def command_line(
        self,
        *options: str,
        text: str = "",
        clock: str | None = None,
        environment: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """``python -m diagnoser`` in the lab, as a user runs it; ``clock`` as faketime takes it."""
        command = [sys.executable, "-W", "error", "-m", "diagnoser", *options]
        return subprocess.run(
            self._inside(_at(clock, command)),
            input=text.encode(),
            capture_output=True,
            check=False,
            timeout=60,
            env=_environment() | (environment or {}),
        )

    def wait_for(self, address: str, *ports: int) -> None:
        """Until every port is open."""
        lines = "\n".join(f"exec 3<>/dev/tcp/{address}/{p}" for p in ports)
        for _ in range(100):
            done = subprocess.run(
                self._inside(["bash", "-ec", lines]), check=False, capture_output=True
            )
            if done.returncode == 0:
                return
            time.sleep(0.05)
        logs = "\n".join(p.read_text("utf-8", "replace") for p in self.directory.glob("*.log"))
        raise AssertionError(f"nothing listens on {address}, {ports}\n{logs}")


def _at(clock: str | None, command: list[str]) -> list[str]:
    """The command under another time of day; what is measured in seconds stays as it is."""
    if clock is None:
        return command
    return [which("faketime") or "faketime", "--exclude-monotonic", "-f", clock, *command]


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return {
        **kept,
        "TZ": "UTC",
        "PYTHONPATH": os.pathsep.join(map(str, (HERE.parents[1], HERE.parent, HERE))),
    }


_NGINX = """
daemon off; master_process off; worker_processes 1; pid {place}/{name}.pid;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {place}/{name}-b; proxy_temp_path {place}/{name}-p;
  fastcgi_temp_path {place}/{name}-f; uwsgi_temp_path {place}/{name}-u;
  scgi_temp_path {place}/{name}-s; default_type text/plain;
{s}
}}
"""


def nginx_tls(lab: Lab, name: str, issued: Issued, *listening: str) -> str:
    """A server block of nginx with a chain; each of ``listening`` as after ``listen``."""
    lab.write(f"{name}.pem", issued.chain_pem)
    lab.write(f"{name}.key", issued.key_pem)
    lines = [f"listen {where};" for where in listening]
    place = lab.directory
    return (
        f"server {{ {' '.join(lines)} ssl_certificate {place}/{name}.pem; "
        f"ssl_certificate_key {place}/{name}.key; ssl_protocols TLSv1.2 TLSv1.3; "
        "location / { return 200 'hello'; } }\n"
    )


@contextlib.contextmanager
def lab(*tools: str) -> Iterator[Lab]:
    """A lab in a directory of its own; the test is skipped, with the reason, where none can be.

    Servers drop their rights, and pytest's own directories are closed to all but one user.
    """
    if reason := why_not(*tools):
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="diagnoser-lab-") as directory:
        made = Lab(Path(directory))
        try:
            yield made
        finally:
            made.close()


def work() -> None:
    """In the lab: make the diagnoses that stdin asks for, side by side."""
    errands: list[Errand] = pickle.load(sys.stdin.buffer)
    with ThreadPoolExecutor(max(1, len(errands))) as threads:
        answers = list(threads.map(_answer, errands))
    sys.stdout.buffer.write(pickle.dumps(answers))


def _answer(errand: Errand) -> Answer:
    if errand.proxy is None:
        proxy = find_proxy(dict(errand.environment), system="Linux", root=errand.settings)
    else:
        proxy = parse_proxy(errand.proxy)
    inquiry = Inquiry(
        network=SystemNetwork(),
        trust=Trust(errand.root, errand.root, None),
        vantage=Vantage("lab", "Linux", "lab"),
        permission=Permission(everything=True),
        timeout=errand.seconds,
        proxy=proxy,
        now=lambda: errand.clock or datetime.now(UTC),
    )
    begun = time.monotonic()
    if errand.text:
        (found,) = diagnose(read_blocks(errand.text, "error.txt").blocks, inquiry)
    else:
        host, _, port = errand.target.rpartition(":")
        host = host.strip("[]")
        name = None if ":" in host or host.replace(".", "").isdigit() else host
        (case,) = investigate([open_check(host, [int(port)], name)], inquiry)
        found = judge(case)
    return Answer(found, time.monotonic() - begun)
