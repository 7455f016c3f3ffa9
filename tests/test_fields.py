"""Fields as people paste them: each row is one way in which they are not JSON."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnoser.grammar.embedded import expand
from diagnoser.grammar.fields import parse_fields
from diagnoser.grammar.scanner import MAX_FIELDS
from diagnoser.model import ErrorFrame, Field, Location

AT = Location("paste", 7)


def pairs(text: str) -> list[tuple[str, str]]:
    return [(f.key, f.value) for f in parse_fields(text, AT)[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  \n ", []),
        ("{}", []),
        ('{"port":"8443"}', [("port", "8443")]),
        ('{"port":8443,"ok":true,"x":1.50}', [("port", "8443"), ("ok", "true"), ("x", "1.50")]),
        ('{"a":"1","a":"2"}', [("a", "1"), ("a", "2")]),
        (r'{"p":"c:\\x\u000by \"q\""}', [("p", 'c:\\x\x0by "q"')]),
        ('{"list":[{"k":"v"},2]}', [("list", '[{"k":"v"},"2"]')]),
        # a hard wrap inside an escape, with and without the second backslash on the next line
        ('{"f":"d:\\\\core\\\nnetwork\\\\x.cpp"}', [("f", "d:\\core\\network\\x.cpp")]),
        ('{"f":"d:\\\\core\\\n\\network\\\\x.cpp"}', [("f", "d:\\core\\network\\x.cpp")]),
        # a hard wrap inside a host name and inside a key vanishes
        ('{"address":"rs-us5-cloud.\nacronis.com"}', [("address", "rs-us5-cloud.acronis.com")]),
        ('{"fesAd\ndress":"h:44445"}', [("fesAddress", "h:44445")]),
        # line breaks in prose stay
        (
            '{"body":"not found }\\r\n\\r\n","s":"503"}',
            [("body", "not found }\r\n\r\n"), ("s", "503")],
        ),
        (
            '{"r":"said "no such" and\nleft","h":"x"}',
            [("r", 'said "no such" and\nleft'), ("h", "x")],
        ),
        ("{'$module': 'mms_vsa64_11010'}", [("$module", "mms_vsa64_11010")]),
        ("{'a': 1, 'b': \"it's\"}", [("a", "1"), ("b", "it's")]),
        (
            "PartitionId : 227, $module : disk_bundle_lxa64_215",
            [("PartitionId", "227"), ("$module", "disk_bundle_lxa64_215")],
        ),
        (
            "パーティションID : 219, path : /1/a, b: c, $module : x",
            [("パーティションID", "219"), ("path", "/1/a, b: c"), ("$module", "x")],
        ),
        ('{"httpBody":"{"a":"b","c":1}","s":"1"}', [("httpBody", '{"a":"b","c":1}'), ("s", "1")]),
    ],
)
def test_fields_are_read(text: str, expected: list[tuple[str, str]]) -> None:
    assert pairs(text) == expected
    assert parse_fields(text, AT)[1] == ()


@pytest.mark.parametrize(
    ("text", "expected", "damage"),
    [
        ('{"a":"1","$mod', [("a", "1")], "inside a name"),
        ('{"a":"1","$module"', [("a", "1")], "after the name '$module'"),
        ('{"a":"1","b":', [("a", "1")], "the value of 'b'"),
        # 84 may have been 8443: a value that is cut off is none
        ('{"a":"1","port":"84', [("a", "1")], "the value of 'port'"),
        ('{"a":"1","port":84', [("a", "1")], "the value of 'port'"),
        ('{"a":"1"', [("a", "1")], "no closing brace"),
        ('{"a":"1",', [("a", "1")], "no closing brace"),
        ('{"a":[1,2', [], "the value of 'a'"),
        ('{"a":"1"} and more\n', [("a", "1")], "text after the fields"),
        ("nothing of the sort", [], "neither JSON nor pairs"),
    ],
)
def test_damage_is_told_and_no_value_is_guessed(
    text: str, expected: list[tuple[str, str]], damage: str
) -> None:
    fields, faults = parse_fields(text, AT)
    assert [(f.key, f.value) for f in fields] == expected
    assert damage in " ".join(faults)


def test_a_field_knows_its_line() -> None:
    fields, _ = parse_fields('{"a":"x",\n"b":"1\n2",\n"c":"3"}', AT)
    assert [(f.key, f.at.line) for f in fields] == [("a", 7), ("b", 8), ("c", 10)]


def test_fields_without_end_are_bounded() -> None:
    many = "{" + ",".join(f'"k{i}":"v"' for i in range(5000)) + "}"
    fields, faults = parse_fields(many, AT)
    assert len(fields) == MAX_FIELDS
    assert "more than" in faults[0]
    started = time.perf_counter()
    for hostile in ('"', '"{"a":', "\\", "[", '","', "a : b, ", '"a":"b" x', "{'"):
        parse_fields("{" + hostile * 60_000, AT)
    assert time.perf_counter() - started < 5


def _frame(key: str, value: str) -> ErrorFrame:
    return ErrorFrame(583, 1, None, (Field(key, value, AT),), "HTTP transfer error", AT)


LINK = {"module": 550, "code": 6, "text": "Could not resolve host", "linetag": "0xab, f:1, g"}
BODY = {
    "origin": {
        "module": 583,
        "code": 1,
        "text": "HTTP transfer error",
        "fields": {"host": "eu2-cloud.acronis.com", "port": ""},
        "suberror": LINK | {"fields": {}, "suberror": None},
    }
}


@pytest.mark.parametrize("levels", [0, 1, 2])
def test_an_escaped_document_yields_its_fields_and_causes(levels: int) -> None:
    text = json.dumps(BODY)
    for _ in range(levels):
        text = json.dumps(text)[1:-1]
    chain = expand((_frame("httpBody", text),))
    assert [f.name for f in chain.frames] == ["583/1", "550/6"]
    assert chain.frames[1].line_info == "0xab"
    found = [(f.path, f.key, f.value) for f in chain.frames[0].fields]
    assert ("httpBody/origin/fields", "host", "eu2-cloud.acronis.com") in found
    assert ("httpBody/origin/fields", "port", "") in found


def test_a_cause_that_follows_anyway_is_not_repeated() -> None:
    inner = ErrorFrame(550, 6, None, (), "Could not resolve host", AT)
    chain = expand((_frame("httpBody", json.dumps(BODY)), inner))
    assert [f.name for f in chain.frames] == ["583/1", "550/6"]


def test_a_document_in_a_message_is_a_cause_too() -> None:
    frame = ErrorFrame(583, 23, None, (), f"failed: 500, returned: {json.dumps(BODY)}", AT)
    assert [f.name for f in expand((frame,)).frames] == ["583/23", "583/1", "550/6"]


def test_a_broken_document_is_damage_and_gives_what_can_be_read() -> None:
    chain = expand((_frame("httpBody", '{"reason":"x","origin":{"module":58'),))
    assert [f.name for f in chain.frames] == ["583/1"]
    assert ("httpBody", "reason", "x") in [(f.path, f.key, f.value) for f in chain.frames[0].fields]
    assert "httpBody" in chain.damage[0]


def test_nesting_without_end_is_survived() -> None:
    deep = '{"a":' * 5000 + "1" + "}" * 5000
    assert expand((_frame("httpBody", deep),)).frames[0].name == "583/1"
    link: dict[str, object] = dict(LINK)
    for _ in range(200):
        link = LINK | {"suberror": link}
    chain = expand((_frame("httpBody", json.dumps({"origin": link})),))
    assert len(chain.frames) <= 65


VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(st.dictionaries(VALUES, VALUES, max_size=8))
def test_any_json_object_of_strings_round_trips(members: dict[str, str]) -> None:
    assert pairs(json.dumps(members)) == list(members.items())
    assert pairs(json.dumps(members, ensure_ascii=False)) == list(members.items())


@given(st.text(max_size=400))
def test_any_text_is_survived(text: str) -> None:
    for prefix in ("", "{", '{"', '{"a":"'):
        fields, damage = parse_fields(prefix + text, AT)
        for field in fields:
            field.value.encode()
            assert field.at.line >= AT.line
        assert all(isinstance(d, str) for d in damage)
