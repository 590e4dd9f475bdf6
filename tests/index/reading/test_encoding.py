from __future__ import annotations

import random

import pytest

from index.reading.encoding import decode
from tests.index.reading.results import Write, article, problem, reading

RUSSIAN = "Мэр города закрыл старый мост в понедельник утром, и никто его об этом не спросил."
GERMAN = "Der Bürgermeister schloss die Brücke über den Fluss; „niemand“ wurde vorher gefragt."
GREEK = "Ο δήμαρχος έκλεισε τη γέφυρα τη Δευτέρα το πρωί και κανείς δεν ρωτήθηκε."
JAPANESE = "市長は月曜日に古い橋を閉鎖すると決めた。誰にも聞かれなかった。"
CHINESE = "市长星期一决定关闭旧桥。没有人问过他。"


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-32", pytest.param("utf-16-be", id="big-endian UTF-16 with a mark")]
)
def test_a_byte_order_mark_tells_the_encoding_and_is_not_text(write: Write, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    found = reading(write("a.txt", (mark + "Zürich — Ωmega.").encode(encoding)))
    assert (found.article.text, found.notes) == ("Zürich — Ωmega.", ())


@pytest.mark.parametrize(
    ("text", "encoding", "told"),
    [
        (RUSSIAN, "cp1251", "windows-1251"),
        (RUSSIAN, "koi8-r", "koi8-r"),
        (GREEK, "cp1253", "windows-1253"),
        (GERMAN, "cp1252", "windows-1252"),
        ("Mayor Müller said it’s over.", "cp1252", "windows-1252"),
        (JAPANESE, "shift_jis", "cp932"),
        (CHINESE, "gb18030", "gb18030"),
    ],
)
def test_text_in_another_encoding_is_read_and_the_encoding_told(
    write: Write, text: str, encoding: str, told: str
) -> None:
    found = reading(write("a.txt", text.encode(encoding)))
    assert (found.article.text, found.notes) == (text, (f"read as {told}",))


def test_an_encoding_that_mixes_alphabets_within_a_word_is_not_the_one() -> None:
    assert decode("Żółta łódź".encode("cp1250")) == ("Żółta łódź", "windows-1250")
    with pytest.raises(ValueError, match="save it as UTF-8"):  # "Přílią ľlu»oučký kůň" would be worse
        decode("Příliš žluťoučký kůň".encode("iso-8859-2"))


@pytest.mark.parametrize("text", [RUSSIAN, GERMAN, GREEK, JAPANESE, "plain", "naïve café — “yes”"])
def test_utf8_is_never_taken_for_another_encoding(text: str) -> None:
    assert decode(text.encode()) == (text, "")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff\xfe\x00\xd8", "is not the UTF-16 it begins as (byte 2); save it as UTF-8."),
        (b"\xef\xbb\xbfcaf\xe9", "is not the UTF-8 it begins as (byte 3); save it as UTF-8."),
    ],
)
def test_a_file_that_is_not_what_its_mark_says_fails_by_the_name_of_the_encoding(
    write: Write, content: bytes, told: str
) -> None:
    assert problem(write("a.txt", content)).message == told


@pytest.mark.parametrize("seed", range(8))
def test_bytes_that_are_no_text_are_not_made_to_be_text(write: Write, seed: int) -> None:
    made = bytes(random.Random(seed).randrange(1, 256) for _ in range(2000))
    message = problem(write("a.txt", b"\x89PNG\r\n\x1a\n" + made)).message
    assert message == "is not UTF-8, and what encoding it is in can't be told; save it as UTF-8."


def test_a_declared_encoding_is_believed_where_it_can_be_true() -> None:
    assert decode(GERMAN.encode("cp1252"), "windows-1252") == (GERMAN, "")
    assert decode(GERMAN.encode(), "no-such-encoding") == (GERMAN, "")
    assert decode(GERMAN.encode(), "ascii") == (GERMAN, "")


@pytest.mark.parametrize(("text", "encoding"), [(JAPANESE + "a", "shift_jis"), (GERMAN, "cp1252")])
def test_a_text_longer_than_what_is_looked_at_is_read_to_its_end(text: str, encoding: str) -> None:
    long = "\n".join([text] * (450_000 // len(text.encode(encoding))))
    assert decode(long.encode(encoding))[0] == long


def test_characters_are_composed_and_what_cannot_be_seen_is_dropped(write: Write) -> None:
    assert article(write("a.txt", "Zu\u0308rich\u00ad er\ufeff closed\x07.")).text == "Zürich er closed."
