"""The published schema: it fits every report that is written, and refuses what is none."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from casebook import make_case
from jsonschema import Draft202012Validator
from test_cli import diagnoser
from test_reports import CLOSED, report

from diagnoser.diagnosis import judge, open_case
from diagnoser.grammar import read_blocks
from diagnoser.model import Skipped
from diagnoser.reports import render, schema

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden" / "schema.json"
SAMPLES = sorted(p for p in (ROOT / "sample_logs").iterdir() if p.name != "README.md")


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    described = json.loads(schema.render())
    Draft202012Validator.check_schema(described)
    return Draft202012Validator(described)


def tables() -> Iterator[dict[str, Any]]:
    for path in sorted((ROOT / "tests" / "cases").rglob("*.toml")):
        for section in tomllib.loads(path.read_text("utf-8")).values():
            yield from [section] if path.parent.name == "whole" else section.values()


def test_the_contract_changes_only_on_purpose() -> None:
    """After a change that is meant: python -m diagnoser schema > tests/golden/schema.json"""
    assert schema.render() == GOLDEN.read_text("utf-8")


def test_the_command_prints_the_schema_and_nothing_else() -> None:
    done = diagnoser("schema", expect=0)
    assert done.stdout == schema.render()
    assert done.stderr == ""


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda p: p.name)
def test_reports_of_every_sample_fit(sample: Path, validator: Draft202012Validator) -> None:
    blocks = read_blocks(sample.read_text("utf-8"), sample.name).blocks
    shown = render(report(*(judge(open_case(b)) for b in blocks)), "json", "en")
    validator.validate(json.loads(shown))


def test_reports_of_every_probed_case_fit(validator: Draft202012Validator) -> None:
    judged = [judge(make_case(t)) for t in tables()]
    assert len(judged) > 300
    validator.validate(json.loads(render(report(*judged), "json", "ja")))


def test_the_report_of_real_handshakes_fits(validator: Draft202012Validator) -> None:
    done = diagnoser("demo", "--format", "json", "--quiet", expect=0)
    document = json.loads(done.stdout)
    validator.validate(document)
    chains = [
        e["probe"]["tls"]["received_chain"]
        for c in document["cases"]
        for e in c["endpoints"]
        if e["probe"] and e["probe"]["tls"]
    ]
    assert any(chains)


def _forget(key: str) -> Callable[[Any], None]:
    return lambda document: document["cases"][0].pop(key)


@pytest.mark.parametrize(
    "spoil",
    [
        _forget("standing"),
        lambda d: d["cases"][0].update(standing="certain"),
        lambda d: d["cases"][0].update(cause="unexplained"),
        lambda d: d["cases"][0].update(cause="no-such-rule"),
        lambda d: d["cases"][0].update(further="key"),
        lambda d: d["cases"][0]["endpoints"][0].update(port="8443"),
        lambda d: d["cases"][0]["endpoints"][0]["probe"]["stages"][1].update(condition="odd"),
        lambda d: d.update(schema=2),
        lambda d: d.update(generated_at="yesterday"),
        lambda d: d["skipped"].append({"source": "x"}),
    ],
)
def test_what_breaks_the_contract_is_refused(
    spoil: Callable[[Any], object], validator: Draft202012Validator
) -> None:
    found = report(judge(make_case(CLOSED)), skipped=(Skipped("a", "b"),))
    document = json.loads(render(found, "json", "en"))
    validator.validate(document)
    spoilt = copy.deepcopy(document)
    spoil(spoilt)
    assert not validator.is_valid(spoilt)
