"""The house holds: layers, one socket, small modules, data that ships."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import diagnoser

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "diagnoser"
MODULES = sorted(PACKAGE.rglob("*.py"))


def test_only_the_transport_and_the_lab_import_socket() -> None:
    importers = {
        p.relative_to(PACKAGE).as_posix()
        for p in MODULES
        if any(
            line.split()[:2] == ["import", "socket"] for line in p.read_text("utf-8").splitlines()
        )
    }
    assert importers == {"probing/transport.py", "lab.py"}


def test_no_module_outgrows_its_reason() -> None:
    large = {p.name: n for p in MODULES if (n := len(p.read_text("utf-8").splitlines())) > 400}
    # The nouns stand together; everything else has one reason to change and fits a few screens.
    assert large.keys() <= {"model.py"}, large


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    done = subprocess.run(
        [sys.executable, "-m", "diagnoser", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout == f"diagnoser {diagnoser.__version__}\n"


def test_an_offline_run_loads_nothing_that_only_a_probe_needs() -> None:
    """They take as long to load as half a gigabyte of log takes to read."""
    program = (
        "import sys; from diagnoser.cli import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        "print(*sorted({'asyncio', 'OpenSSL', 'cryptography', 'certifi'} & sys.modules.keys()))"
    )
    sample = ROOT / "sample_logs" / "labelled-en-ssl-write.txt"
    done = subprocess.run(
        [sys.executable, "-c", program, "--offline", "--quiet"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        input=sample.read_text("utf-8"),
    )
    assert "626/307" in done.stdout
    assert done.stdout.splitlines()[-1] == ""


def test_the_package_is_typed_and_the_top_level_is_as_agreed() -> None:
    assert (PACKAGE / "py.typed").is_file()
    listed = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if listed.returncode == 0:
        top = {line.split("/")[0] for line in listed.stdout.splitlines()}
        assert {t for t in top if not t.startswith(".")} <= {
            "pyproject.toml", "diagnoser", "sample_logs", "tests", "README.md", "LICENSE",
            "CHANGELOG.md",
        }  # fmt: skip


def test_every_pattern_that_waits_for_its_first_use_is_a_good_one() -> None:
    program = (
        "import gc, importlib, pkgutil, diagnoser\n"
        "from diagnoser.deferral import _Pattern\n"
        "for found in pkgutil.walk_packages(diagnoser.__path__, 'diagnoser.'):\n"
        "    if not found.name.endswith('__main__'): importlib.import_module(found.name)\n"
        "print(sum(p.groups >= 0 for p in gc.get_objects() if isinstance(p, _Pattern)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert int(done.stdout) > 300
