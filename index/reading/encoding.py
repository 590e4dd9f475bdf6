"""Bytes → text. UTF-8 unless a mark at the beginning, a declaration or the bytes themselves say otherwise."""

from __future__ import annotations

import codecs
import re

import chardet
import regex
from chardet import EncodingEra

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LOOKED_AT, _BEFORE = 200_000, 10_000  # bytes behind and before the first that is not ASCII
# What a wrong code page makes of a text: letters of two alphabets in one word, or a sign between letters.
_IMPOSSIBLE = regex.compile(
    r"\p{Latin}[\p{Cyrillic}\p{Greek}\p{Hebrew}\p{Arabic}\p{Thai}]|[\p{Cyrillic}\p{Greek}\p{Hebrew}\p{Arabic}\p{Thai}]\p{Latin}"
    r"|\p{Cyrillic}\p{Greek}|\p{Greek}\p{Cyrillic}|(?<=\p{L})[¡-¶¸-¿×÷\u2190-\u2bff](?=\p{L})|[\x80-\x9f\ufffd]|\p{Cn}|\p{Co}"
)


def decode(data: bytes, declared: str = "") -> tuple[str, str]:
    """The text, and the encoding where that is worth telling: it was neither UTF-8 nor marked nor declared.

    Args:
        declared: what the document says of itself, "" for nothing; passed over where it can't be true.

    Raises:
        ValueError: it is no text, or in an encoding that can't be told.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return _text(data.decode(encoding)), ""
            except UnicodeDecodeError as error:
                name = encoding.removesuffix("-sig").upper()
                raise ValueError(f"is not the {name} it begins as (byte {error.start}); save it as UTF-8.") from error
    if re.match(r"utf-?(?:16|32)", declared, re.IGNORECASE):  # whoever could read that could read the rest as well
        declared = "utf-8"
    for encoding in filter(None, (declared, "utf-8")):
        try:
            return _text(data.decode(encoding)), ""
        except (UnicodeDecodeError, LookupError):
            continue
    encoding = _detected(data)
    if not encoding:
        raise ValueError("is not UTF-8, and what encoding it is in can't be told; save it as UTF-8.")
    return _text(data.decode(encoding)), encoding


def _detected(data: bytes) -> str:
    """The likeliest encoding in which the bytes can be a text, "" for none."""
    # The first bytes that are not ASCII, wherever they stand. They may cut a character in two: only what decodes as a
    # whole counts.
    begin = next((n for n, byte in enumerate(data) if byte > 127), 0)
    looked_at = data[max(0, begin - _BEFORE) : begin + _LOOKED_AT]
    for found in chardet.detect_all(looked_at, encoding_era=EncodingEra.MODERN_WEB, ignore_threshold=True):
        encoding = found["encoding"] or ""
        try:
            text = data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        if not _IMPOSSIBLE.search(text):
            return encoding.lower()
    return ""


def _text(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds NUL characters, so it is not text; convert it to text first.")
    return text
