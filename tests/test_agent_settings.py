"""The agent's proxy and certificate, found where the user guide says; passwords stay inside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from diagnoser.model import Proxy
from diagnoser.probing import NoProxyAddress, find_certificates, find_proxy, parse_proxy

GLOBAL = """<?xml version="1.0" ?>
<registry name="Global">
    <key name="HttpProxy">
        <value name="Enabled" type="Tdword">"{enabled}"</value>
        <value name="Host" type="TString">"proxy.contoso.example"</value>
        <value name="Port" type="Tdword">"0x1bb"</value>
        <value name="Login" type="TString">"backup"</value>
        <value name="Password" type="TString">"s3cret"</value>
    </key>
</registry>
"""


def put(root: Path, place: str, text: str) -> Path:
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("proxy:3128", ("proxy", 3128, None, None)),
        ("http://proxy", ("proxy", 8080, None, None)),
        ("http://u:p%40ss@proxy:3128/", ("proxy", 3128, "u", "p@ss")),
        ("u:p@ss%41@proxy:3128", ("proxy", 3128, "u", "p@ss%41")),
        ("u@[2001:db8::1]:3128", ("2001:db8::1", 3128, "u", None)),
    ],
)
def test_an_address_of_a_proxy_is_read(
    text: str, expected: tuple[str, int, str | None, str | None]
) -> None:
    found = parse_proxy(text)
    assert (found.host, found.port, found.login, found.password) == expected


@pytest.mark.parametrize(
    "text", ["", "socks5://u:hunter2@proxy:1080", "http://", "proxy:http", "a b:1", "u:hunter2@:1"]
)
def test_what_is_no_proxy_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(NoProxyAddress) as caught:
        parse_proxy(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("system", "place"),
    [
        ("Linux", "etc/Acronis/Global.config"),
        ("Darwin", "Library/Application Support/Acronis/Registry/Global.config"),
    ],
)
def test_the_agent_s_registry_file_names_the_proxy(tmp_path: Path, system: str, place: str) -> None:
    path = put(tmp_path, place, GLOBAL.format(enabled=1))
    found = find_proxy({}, system=system, root=tmp_path)
    assert found == Proxy("proxy.contoso.example", 443, "backup", "s3cret", str(path))
    assert "s3cret" not in f"{found} {found!r}"


def test_a_proxy_that_is_switched_off_is_not_used(tmp_path: Path) -> None:
    put(tmp_path, "etc/Acronis/Global.config", GLOBAL.format(enabled=0))
    assert find_proxy({}, system="Linux", root=tmp_path) is None


@pytest.mark.parametrize(
    ("system", "place"),
    [
        ("Linux", "opt/acronis/etc/aakore.yaml"),
        ("Darwin", "Library/Application Support/Acronis/Agent/etc/aakore.yaml"),
        ("Windows", "ProgramData/Acronis/Agent/etc/aakore.yaml"),
    ],
)
def test_the_agent_core_s_file_names_the_proxy(tmp_path: Path, system: str, place: str) -> None:
    text = (
        "log:\n  level: info\nenv:\n  http-proxy: u:p@plain:1\n  https-proxy: 'u:p:q@tls:2' # x\n"
    )
    path = put(tmp_path, place, text)
    found = find_proxy({}, system=system, root=tmp_path)
    assert found == Proxy("tls", 2, "u", "p:q", str(path))


def test_the_documented_precedence_holds(tmp_path: Path) -> None:
    environment = {"HTTPS_PROXY": "http://environment:4"}
    assert find_proxy(environment, system="Windows", root=tmp_path) == Proxy(
        "environment", 4, source="HTTPS_PROXY", is_ambient=True
    )
    put(tmp_path, "ProgramData/Acronis/Agent/etc/aakore.yaml", "env:\n  https-proxy: core:3\n")
    found = find_proxy(environment, system="Windows", root=tmp_path)
    assert found is not None
    assert found.host == "core"
    put(
        tmp_path,
        "ProgramData/Acronis/Agent/var/aakore/http-proxy.yaml",
        "env:\n  https-proxy: monitor:1\n",
    )
    found = find_proxy(environment, system="Windows", root=tmp_path)
    assert found is not None
    assert found.host == "monitor"
    put(tmp_path, "etc/Acronis/Global.config", GLOBAL.format(enabled=1))
    put(tmp_path, "opt/acronis/etc/aakore.yaml", "env:\n  https-proxy: core:3\n")
    found = find_proxy(environment, system="Linux", root=tmp_path)
    assert found is not None
    assert found.host == "proxy.contoso.example"


@pytest.mark.parametrize("exception", ["*", "acronis.com", ".acronis.cloud", "x, *.acronis.com"])
def test_the_environment_may_except_acronis(tmp_path: Path, exception: str) -> None:
    environment = {"https_proxy": "http://proxy:3128", "NO_PROXY": exception}
    assert find_proxy(environment, system="Linux", root=tmp_path) is None


@pytest.mark.parametrize(
    "text",
    ["", "\0" * 100, '<key name="HttpProxy">' * 9, "env:\n  https-proxy: [", "https-proxy:\n"],
)
def test_a_damaged_file_is_passed_over(tmp_path: Path, text: str) -> None:
    put(tmp_path, "etc/Acronis/Global.config", text)
    put(tmp_path, "opt/acronis/etc/aakore.yaml", text)
    assert find_proxy({}, system="Linux", root=tmp_path) is None


@pytest.mark.parametrize(
    ("system", "place"),
    [
        ("Linux", "var/lib/Acronis/BackupAndRecovery/OnlineBackup/Default"),
        ("Windows", "ProgramData/Acronis/BackupAndRecovery/OnlineBackup/Default"),
        (
            "Darwin",
            "Library/Application Support/Acronis/BackupAndRecovery/OnlineBackup/Default",
        ),
    ],
)
def test_the_agent_s_certificates_are_found_newest_first(
    tmp_path: Path, system: str, place: str
) -> None:
    old = put(tmp_path, f"{place}/a.crt", "x")
    new = put(tmp_path, f"{place}/b.crt", "x")
    put(tmp_path, f"{place}/c.txt", "x")
    os.utime(old, (1, 1))
    assert find_certificates(system=system, root=tmp_path) == (new, old)
    assert find_certificates(system="Plan 9", root=tmp_path) == ()
    assert find_certificates(system=system, root=tmp_path / "none") == ()
