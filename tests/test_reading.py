"""Bytes to lines: bounded sources, encodings that nobody declared, cleaned lines."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnoser.composing import composed
from diagnoser.errors import ExitStatus, InputError
from diagnoser.grammar import read_blocks
from diagnoser.reading import narrowing
from diagnoser.reading.encodings import decode
from diagnoser.reading.framing import Page, clean, clean_line
from diagnoser.reading.sources import read_file, read_stream

SAMPLES = Path(__file__).parents[1] / "sample_logs"


def test_a_stream_is_read_up_to_its_limit_and_the_rest_is_listed() -> None:
    whole = read_stream(io.BytesIO(b"x" * 10), "stdin", limit=10)
    assert (whole.data, whole.skipped) == (b"x" * 10, ())
    cut = read_stream(io.BytesIO(b"x" * 11), "stdin", limit=10)
    assert cut.data == b"x" * 10
    assert [(s.source, s.reason) for s in cut.skipped] == [
        ("stdin", "only the first 10 bytes were read")
    ]


def test_an_endless_stream_ends() -> None:
    class Endless(io.RawIOBase):
        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert size > 0
            return b"Error code: 1\n" * (size // 14 + 1)

    found = read_stream(Endless(), "stdin", limit=100_000)  # type: ignore[arg-type]
    assert len(found.data) == 100_000
    assert found.skipped


def test_a_file_that_cannot_be_read_says_why_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file") as missing:
        read_file(tmp_path / "no.txt")
    assert missing.value.hint
    assert missing.value.status is ExitStatus.NO_INPUT
    with pytest.raises(InputError, match="is a directory") as directory:
        read_file(tmp_path)
    assert "diagnoser scan" in (directory.value.hint or "")
    with pytest.raises(InputError):
        read_file(tmp_path / "a\0b")
    file = tmp_path / "file"
    file.write_bytes(b"x")
    with pytest.raises(InputError):
        read_file(file / "below")
    assert read_file(file).data == b"x"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads every file")
def test_a_forbidden_file_says_so(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"x")
    file.chmod(0)
    with pytest.raises(InputError, match="permission denied"):
        read_file(file)


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le-bom"],
)
@pytest.mark.parametrize(
    "name", ["labelled-ja-ssl-write.txt", "labelled-en-ssl-write.txt", "labelled-ru-gateway.txt"]
)
def test_unicode_is_recognised(encoding: str, name: str) -> None:
    text = (SAMPLES / name).read_text("utf-8")
    data = (
        b"\xff\xfe\0\0" + text.encode("utf-32-le")
        if encoding == "utf-32-le-bom"
        else text.encode(encoding)
    )
    assert decode(data) == text


@given(
    st.lists(
        st.sampled_from(["a", "\n", "é", "同", "\U0001f4be", "\udc80", "\ud800"]), max_size=40
    ),
    st.sampled_from(["utf-16-le", "utf-16-be", "utf-32-le"]),
    st.integers(1, 9),
    st.data(),
)
def test_what_is_read_as_utf8_knows_where_it_stood(
    letters: list[str], encoding: str, size: int, data: st.DataObject
) -> None:
    wide = b"".join(c.encode(encoding, "surrogatepass") for c in letters)
    stream = io.BytesIO(b"junk" + wide)
    stream.seek(4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(narrowing, "_CHUNK", size)
        text = narrowing.Narrowed(stream, encoding)
        told = b"".join(iter(lambda: text.read(3), b"")).decode()
        assert told == wide.decode(encoding, "replace")
        if told:
            at = data.draw(st.integers(0, len(told) - 1))
            place = text.origin(len(told[:at].encode()), stream, 4)
            assert place == len(told[:at].encode(encoding))
            assert wide[place:].decode(encoding, "replace") == told[at:]


@pytest.mark.parametrize("text", ["Message: x\x1a", "Message: x\x1a\r\n", "a\x1a\nMessage: x"])
def test_the_end_of_an_input_of_windows_is_no_letter(text: str) -> None:
    """Ctrl-Z ends it at the beginning of a line only, and stays in the text elsewhere."""
    assert "\x1a" not in decode(text.encode())
    assert "Message: x" in decode(text.encode())


@pytest.mark.parametrize(
    ("name", "page", "language"),
    [
        ("labelled-ja-ssl-write.txt", "cp932", "ja"),
        ("labelled-ru-gateway.txt", "cp1251", "ru"),
        ("labelled-pl-credentials.txt", "cp1250", "pl"),
        ("labelled-es-certificate.txt", "cp1252", "es"),
        ("labelled-pt-connect.txt", "cp1252", "pt-BR"),
        ("labelled-new-de.txt", "cp1252", "de"),
    ],
)
def test_a_code_page_is_recognised_by_the_labels(name: str, page: str, language: str) -> None:
    text = (SAMPLES / name).read_text("utf-8")
    assert decode(text.encode(page)) == text
    blocks = read_blocks(decode(text.encode(page)), name).blocks
    assert [b.language for b in blocks] == [language]


@pytest.mark.parametrize(
    ("label", "page"),
    [("오류 코드", "cp949"), ("错误代码", "gbk"), ("錯誤代碼", "big5"), ("エラーコード", "cp932")],
)
def test_asian_code_pages_are_told_apart(label: str, page: str) -> None:
    text = f"{label}: 307\n"
    assert decode(text.encode(page)) == text


@pytest.mark.parametrize(
    ("name", "page", "above"),
    [
        ("labelled-ja-ssl-write.txt", "cp932", "バックアップを実行"),
        ("labelled-ja-ssl-write.txt", "cp932", "backup"),
        ("labelled-ru-gateway.txt", "cp1251", "Выполнение плана: 100"),
        ("labelled-es-certificate.txt", "cp1252", "Añadido: 5"),
    ],
)
def test_labels_far_down_tell_the_code_page(name: str, page: str, above: str) -> None:
    sample = (SAMPLES / name).read_text("utf-8")
    text = f"2018-08-16T21:00:00:000-03:00 1 I00000000: {above}\n" * 2000 + sample
    assert decode(text.encode(page)) == text


@pytest.mark.parametrize("page", ["cp1251", "cp1252", "cp949", "gbk", "big5"])
def test_kana_tell_japanese_and_nothing_else_does(page: str) -> None:
    japanese = "1 I00000000: バックアップを実行\n" * 40
    assert decode(japanese.encode("cp932")) == japanese
    text = {
        "cp1251": "Выполнение плана резервного копирования",
        "cp1252": "Größe der Übertragung: «où» – ‚ça‘ … ƒ",
        "cp949": "백업 계획을 실행하는 중입니다",
        "gbk": "正在执行备份计划 的一是",
        "big5": "正在執行備份計劃 的一是",
    }[page]
    assert "ƒ" in text or "\u30d0" not in decode((text * 40).encode(page))
    assert page != "cp1252" or decode((text * 40).encode(page)) == text * 40


def test_utf8_with_junk_stays_utf8() -> None:
    text = "メッセージ: サーバーに接続できません"
    assert decode(text.encode()[:-1]).startswith(text[:-1])
    assert decode(b"\xff" + text.encode()).endswith(text)
    assert decode("Größe".encode("cp1252")) == "Größe"


def test_line_ends_become_one_kind() -> None:
    assert decode(b"a\r\nb\rc\nd\r\r\ne\0f") == "a\nb\nc\nd\nef"


def test_lines_lose_quotes_and_blanks_but_not_their_place() -> None:
    assert clean_line("> >\u00a0 Error code:\u00a0307 \u200b\r") == "Error code:\u00a0307"
    assert clean_line("Zusa\u0308tzlich") == "Zusätzlich"
    assert clean("> a\n\t b\nc").shifts == (2, 2, 0)
    page = Page("a\nbb\nccc", "x")
    assert page.place(3) == (1, 1)
    assert page.line(7) == ""
    assert page.cut("form", 1, 3).at.line == 2


@given(st.binary(max_size=2000))
def test_any_bytes_decode(data: bytes) -> None:
    text = decode(data)
    assert "\0" not in text
    assert "\r" not in text
    text.encode()


def test_a_line_of_marks_is_normalised_in_bounded_time() -> None:
    """Putting a run of combining marks in order takes the square of its length: here a minute."""
    marks = "\u0301\u0323" * 40_000
    begun = time.process_time()
    assert clean_line(f"Zusa\u0308tzlich {marks} Co\u0301digo").endswith(" Código")
    read_blocks(f"Error code: 1\nMessage: a{marks}", "x")
    assert composed(f"\uff11 {marks}", "NFKC") == f"1 {marks}"
    assert time.process_time() - begun < 5
    # A row of a table is no run of marks.
    assert clean_line("Co\u0301digo " + "─" * 600) == "Código " + "─" * 600
