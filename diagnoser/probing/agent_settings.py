"""The agent's own settings on this machine: the proxy it uses, and where its certificate lies.

Places and precedence are those of the Cyber Protect Cloud user guide 26.02 ("Proxy server
settings"); files are only read, and a password goes nowhere but into the tunnel.
"""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from diagnoser.deferral import pattern
from diagnoser.model import Proxy

if TYPE_CHECKING:
    from collections.abc import Mapping

_LARGEST_FILE = 256 * 1024
_MOST_CERTIFICATES = 50
_OURS = (".acronis.com", ".acronis.cloud")

# By system: what the Cyber Protect Monitor writes (it wins), the agent, the agent's core.
_MONITOR = {
    "Windows": "ProgramData/Acronis/Agent/var/aakore/http-proxy.yaml",
}
_REGISTRY = {
    "Linux": ("etc/Acronis/Global.config",),
    "Darwin": ("Library/Application Support/Acronis/Registry/Global.config",),
}
_CORE = {
    "Windows": ("ProgramData/Acronis/Agent/etc/aakore.yaml",),
    "Linux": ("opt/acronis/etc/aakore.yaml", "opt/Acronis/etc/aakore.yaml"),
    "Darwin": ("Library/Application Support/Acronis/Agent/etc/aakore.yaml",),
}
_CERTIFICATES = {
    "Windows": "ProgramData/Acronis/BackupAndRecovery/OnlineBackup/Default",
    "Linux": "var/lib/Acronis/BackupAndRecovery/OnlineBackup/Default",
    "Darwin": "Library/Application Support/Acronis/BackupAndRecovery/OnlineBackup/Default",
}

_YAML = pattern(
    r"(?m)^[ \t]*(?P<key>https?-proxy)[ \t]*:[ \t]*(?P<quote>[\"']?)(?P<value>[^\r\n]*?)(?P=quote)"
    r"[ \t]*(?:[ \t]#[^\r\n]*)?\r?$"
)
_SECTION = pattern(r"(?s)<key\s+name=\"HttpProxy\"\s*>(.*?)</key>")
_VALUE = pattern(r"(?s)<value\s+name=\"(\w+)\"[^>]*>\s*\"?(.*?)\"?\s*</value>")


class NoProxyAddress(ValueError):
    """A text is no address of an HTTP proxy. The text may hold a password and is not repeated."""


def parse_proxy(text: str) -> Proxy:
    """``[http://][login:password@]host[:port]``; port 8080 where none is given.

    With a scheme, login and password are percent-encoded (RFC 3986); without one, they stand as
    they are, as in the agent's files. Raises :class:`NoProxyAddress`.
    """
    whole = text.strip()
    is_url = "://" in whole
    login: str | None = None
    password: str | None = None
    authority = whole
    if is_url:
        scheme, _, rest = whole.partition("://")
        authority = rest.split("/", 1)[0]
        if scheme.lower() != "http":
            raise NoProxyAddress("not the address of an HTTP proxy")
    if "@" in authority:
        pair, _, authority = authority.rpartition("@")
        login, colon, word = pair.partition(":")
        password = word if colon else None
    try:
        parts = urlsplit(f"//{authority}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise NoProxyAddress("not the address of an HTTP proxy") from None
    if not host or parts.path or any(c.isspace() for c in host) or port == 0:
        raise NoProxyAddress("not the address of an HTTP proxy")
    if is_url:
        login, password = login and unquote(login), password and unquote(password)
    return Proxy(host, port or 8080, login or None, password)


def find_proxy(
    environment: Mapping[str, str], *, system: str | None = None, root: Path | None = None
) -> Proxy | None:
    """The proxy that the agent uses, or else the one of the environment; ``source`` says which.

    In this order: what the Cyber Protect Monitor wrote, the agent's registry key or
    ``Global.config``, ``aakore.yaml``, and the variable ``HTTPS_PROXY`` unless ``NO_PROXY`` excepts
    Acronis. A setting that cannot be read is passed over. ``root`` stands for the file system's.
    """
    system = system or platform.system()
    base = root or _file_system()
    found = _from_yaml(base, [_MONITOR[system]] if system in _MONITOR else [])
    found = found or (_from_windows_registry() if root is None else None)
    found = found or _from_registry_file(base, _REGISTRY.get(system, ()))
    found = found or _from_yaml(base, _CORE.get(system, ()))
    return found or _from_environment(environment)


def find_certificates(*, system: str | None = None, root: Path | None = None) -> tuple[Path, ...]:
    """The agent's certificate files at the documented place, the newest first; may be empty."""
    place = _CERTIFICATES.get(system or platform.system())
    if place is None:
        return ()
    directory = (root or _file_system()) / place
    try:
        paths = sorted(directory.glob("*.crt"))[:_MOST_CERTIFICATES]
        dated = [(path.stat().st_mtime, path) for path in paths]
    except OSError:
        return ()
    return tuple(path for _, path in sorted(dated, reverse=True))


def _file_system() -> Path:
    """The root directory; on Windows that of the system's drive."""
    return Path(os.environ.get("SYSTEMDRIVE", "") + os.sep)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_FILE).decode("utf-8", "replace")
    except OSError:
        return ""


def _parsed(text: str, source: str) -> Proxy | None:
    try:
        proxy = parse_proxy(text)
    except NoProxyAddress:
        return None
    return Proxy(proxy.host, proxy.port, proxy.login, proxy.password, source)


def _from_yaml(base: Path, places: tuple[str, ...] | list[str]) -> Proxy | None:
    """``https-proxy`` of a YAML file, else its ``http-proxy``; nothing else of YAML is read."""
    for place in places:
        text = _read(base / place)
        values = {m["key"]: m["value"] for m in _YAML.finditer(text)}
        for key in ("https-proxy", "http-proxy"):
            found = _parsed(values.get(key, ""), str(base / place))
            if found is not None:
                return found
    return None


def _from_registry_file(base: Path, places: tuple[str, ...]) -> Proxy | None:
    for place in places:
        section = _SECTION.search(_read(base / place))
        if section is None:
            continue
        values = dict(_VALUE.findall(section[1]))
        found = _from_values(values, str(base / place))
        if found is not None:
            return found
    return None


def _from_values(values: Mapping[str, str], source: str) -> Proxy | None:
    """The five values of ``HttpProxy``; numbers are decimal or ``0x`` and hexadecimal."""
    try:
        enabled = int(values.get("Enabled", "0"), 0)
        port = int(values.get("Port", "0"), 0)
    except ValueError:
        return None
    host = values.get("Host", "").strip()
    if not enabled or not host or not 0 < port < 65536:
        return None
    login = values.get("Login") or None
    return Proxy(host, port, login, values.get("Password") if login else None, source)


def _from_windows_registry() -> Proxy | None:
    if sys.platform != "win32":
        return None
    import winreg  # noqa: PLC0415  (exists on Windows only)

    key = r"SOFTWARE\Acronis\Global\HttpProxy"
    # A 32-bit Python would be shown the 32-bit half alone, and the agent has 64 bits, or had 32.
    for view in (winreg.KEY_WOW64_64KEY, winreg.KEY_WOW64_32KEY):
        values = {}
        try:
            with winreg.OpenKey(
                winreg.HKEY_LOCAL_MACHINE, key, access=winreg.KEY_READ | view
            ) as opened:
                for name in ("Enabled", "Host", "Port", "Login", "Password"):
                    try:
                        values[name] = str(winreg.QueryValueEx(opened, name)[0])
                    except OSError:
                        continue
        except OSError:
            continue
        found = _from_values(values, rf"HKLM\{key}")
        if found is not None:
            return found
    return None


def _from_environment(environment: Mapping[str, str]) -> Proxy | None:
    excepted = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    for part in excepted.lower().replace(",", " ").split():
        if part == "*" or f".{part.lstrip('*.')}" in _OURS:
            return None
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        found = _parsed(environment.get(name, ""), name)
        if found is not None:
            return replace(found, is_ambient=True)
    return None
