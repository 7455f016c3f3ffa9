"""The roots of macOS, told by a program in the place of its ``security``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pki
import pytest

from diagnoser.model import TrustStore
from diagnoser.probing import Trust, keychains, trust

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the program is a script")

# Lists what lies in the file of a keychain's name, and trusts what is named in one more.
PROGRAM = """\
#!/bin/sh
cd "{directory}"
echo "$@" >> asked
case "$1" in
find-certificate) exec cat "$(basename "$4")" ;;
verify-cert) cmp -s "$7" trusted || exit 1 ;;
esac
"""
APPLE, SYSTEM = "SystemRootCertificates.keychain", "System.keychain"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a public root, and a company's that somebody put into its keychain."""
    install(tmp_path, PROGRAM.format(directory=tmp_path))
    monkeypatch.setattr(keychains, "_PROGRAM", str(tmp_path / "security"))
    (tmp_path / APPLE).write_bytes(pki.public_root().pem)
    # An intermediate beside it is no root, and nobody asks for it.
    (tmp_path / SYSTEM).write_bytes(pki.public_intermediate().pem + pki.corporate_root().pem)
    return tmp_path


def install(directory: Path, script: str) -> None:
    (directory / "security").write_text(script)
    (directory / "security").chmod(0o700)


def seen() -> int | None:
    """What the system says of a chain that the company re-signed."""
    pem = trust._system_pem("darwin")
    if pem is None:
        return None
    store = Trust(pem, pki.public_root().pem, None)
    chain = pki.resigned_by_company().chain_ders
    return store.verify(chain, TrustStore.SYSTEM, pki.NOW).code


def test_what_stands_in_the_keychain_is_trusted_only_if_the_system_says_so(machine: Path) -> None:
    assert seen() in (19, 20)
    (machine / "trusted").write_bytes(pki.corporate_root().pem)
    assert seen() == 0
    asked = (machine / "asked").read_text().splitlines()
    assert [line.split()[0] for line in asked] == [
        "find-certificate", "find-certificate", "verify-cert",
    ] * 2  # fmt: skip
    assert not any(Path(line.split()[-1]).exists() for line in asked if "verify-cert" in line)


def test_a_public_chain_is_trusted(machine: Path) -> None:
    pem = keychains.read_roots()
    assert pem is not None
    found = Trust(pem, None, None).verify(pki.management().chain_ders, TrustStore.SYSTEM, pki.NOW)
    assert found.code == 0


@pytest.mark.parametrize("missing", [APPLE, SYSTEM])
def test_half_of_the_roots_is_none(machine: Path, missing: str) -> None:
    (machine / missing).unlink()
    assert seen() is None


def test_too_many_are_not_asked(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keychains, "_MOST_ROOTS", 0)
    assert seen() is None


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/sh\nexec sleep 60\n",
        "#!/bin/sh\nexec cat /dev/zero\n",
        "#!/bin/sh\nexec >&-\nexec sleep 60\n",
        "#!/bin/sh\nkill -9 $$\n",
        "no program\n",
    ],
)
def test_a_program_that_does_not_answer_is_not_waited_for(
    machine: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    install(machine, script)
    monkeypatch.setattr(keychains, "_PATIENCE", 0.5)
    began = time.monotonic()
    assert seen() is None
    assert time.monotonic() - began < 10


def test_a_verdict_that_does_not_come_leaves_everything_open(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = PROGRAM.replace("verify-cert) ", "verify-cert) exec sleep 60 ;; other) ")
    install(machine, slow.format(directory=machine))
    monkeypatch.setattr(keychains, "_PATIENCE", 1.0)
    assert seen() is None
