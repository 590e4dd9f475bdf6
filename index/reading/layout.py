"""Text as a file lays it out → text as one reads it: paragraphs without the line breaks of a fixed width.

Works on lines alone and knows no format. What is laid out well already comes back unchanged, to the character.
"""

from __future__ import annotations

import unicodedata

import regex

from index.lines import quotation_mark, soft_breaks

_LONGEST_MARK = 40

_DROPPED = regex.compile("[\u00ad\ufeff\x00-\x08\x0b\x0e-\x1f\x7f]")  # soft hyphens, marks, control characters
_SPACELESS = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}，。、！？；：」』）】]"
)
_BROKEN = regex.compile(r"(\p{L}[\p{L}\p{M}]*)[-‐]$")
_GOES_ON = regex.compile(r"\p{Ll}[\p{L}\p{M}]*")


def tidy(text: str) -> str:
    """Line feeds, composed characters (NFC), and nothing that can't be seen."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n").replace("\v", "\n")
    return unicodedata.normalize("NFC", _DROPPED.sub("", text))


def joined(text: str) -> str:
    """The text with the lines of a paragraph joined where a fixed width broke them, and words made whole again."""
    parts: list[str] = []
    begin = 0
    for place in soft_breaks(text):
        parts.append(text[begin:place].rstrip(" \t"))
        begin = place + 1
        if text.startswith(">", text.rfind("\n", 0, place) + 1):
            begin += len(quotation_mark(text[begin : begin + _LONGEST_MARK]))
        while begin < len(text) and text[begin] in " \t":
            begin += 1
        parts.append(_between(parts[-1], text, begin))
        if parts[-1] == "" and parts[-2].endswith(("-", "‐")) and not _stays(parts[-2], text, begin):
            parts[-2] = parts[-2][:-1]
    parts.append(text[begin:])
    return "".join(parts)


def _between(before: str, text: str, begin: int) -> str:
    """What stands in place of a line break: nothing in a broken word and between characters that know no spaces."""
    if _BROKEN.search(before[-60:]) and _GOES_ON.match(text, begin):
        return ""
    if before and _SPACELESS.match(before[-1]) and _SPACELESS.match(text, begin):
        return ""
    return " "


def _stays(before: str, text: str, begin: int) -> bool:
    """Whether the hyphen is the word's own: the text has it elsewhere within a line, and not the word without it."""
    head, tail = _BROKEN.search(before[-60:]), _GOES_ON.match(text, begin)
    assert head and tail
    return f"{head[1]}-{tail[0]}" in text and f"{head[1]}{tail[0]}" not in text
