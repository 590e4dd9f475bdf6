"""Which line breaks end a paragraph, and which only keep lines at a width.

A text is wrapped where its lines stop short of a common width in the middle of sentences. Whether they do is counted
over the whole text: a break after which a sentence goes on speaks for it, one after which something begins with a
capital though nothing has ended speaks against it (headlines, poems, lists without marks). What a line begins with
says where a list, a heading, a quotation or a table goes on its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import regex

_WIDEST = 130  # characters; no one wraps at more
_NARROWEST = 18
_FULL = 0.6  # of the width: a shorter line ends its paragraph
_OVER = 1.15  # times the width: a longer line was not wrapped at it
_LARGE = 0.9  # of the lines that go on are at most as long as the width
_OWN_LINE = regex.compile(
    r"\s*(?:[-*+•–—·▪◦]\s|\(?\d{1,3}[.)]\s|\(?[a-zA-Z][.)]\s|#{1,6}\s|>|\||```|~~~|={3}|-{3}|\*{3}|_{3}|\[\^?\w{1,9}\]:|:::)"
)
_WHOLE_LINE = regex.compile(r"\s*(?:#{1,6}\s|\||```|~~~|={3}|-{3}|\*{3}|_{3})")
_QUOTED = regex.compile(r"(?:> ?)+")
_FENCE = regex.compile(r"\s*(?:```|~~~)")
_ENDED = regex.compile(r"[.!?…:;。！？।۔؟።։]['\"”’»)\]*_]*\s*$")
_LINE = regex.compile(r"[^\n]*\n?")


def soft_breaks(text: str) -> list[int]:
    """Places of the line feeds that stand within a paragraph, in order."""
    if "\n" not in text:
        return []
    lines = [(match.start(), match.group().rstrip()) for match in _LINE.finditer(text) if match.group()]
    pairs = _pairs(lines)
    width = _width([len(lines[n][1]) for n in pairs])
    if not width:
        return []
    full = [n for n in pairs if len(lines[n][1]) >= _FULL * width]
    votes = [_vote(lines[n][1], lines[n + 1][1]) for n in full]
    if sum(votes) <= 0:
        return []
    return [
        lines[n + 1][0] - 1
        for n, vote in zip(full, votes, strict=True)
        if vote >= 0 or _is_full(lines[n][1], lines[n + 1][1], width)
    ]


def _is_full(line: str, following: str, width: int) -> bool:
    """Whether the next line's first word had no room left, and the line keeps to the width."""
    return len(line) <= width * _OVER and len(line) + 1 + len(following.split(maxsplit=1)[0]) > width


def _pairs(lines: Sequence[tuple[int, str]]) -> list[int]:
    """Numbers of the lines that may go on in the next one."""
    found: list[int] = []
    fenced = False
    for n, (_, line) in enumerate(lines[:-1]):
        if _FENCE.match(line):
            fenced = not fenced
        mark, following_mark = quotation_mark(line), quotation_mark(lines[n + 1][1])
        line, following = line[len(mark) :], lines[n + 1][1][len(following_mark) :]
        if fenced or mark.strip() != following_mark.strip() or not line or not following:
            continue
        if not _WHOLE_LINE.match(line) and not _OWN_LINE.match(following):
            found.append(n)
    return found


def quotation_mark(line: str) -> str:
    """What marks a line as quoted in a mail: `> ` for each time."""
    match = _QUOTED.match(line)
    return match.group() if match else ""


def _width(lengths: list[int]) -> int:
    """What the lines are wrapped at, 0 where they are not."""
    if not lengths:
        return 0
    width = sorted(lengths)[int(_LARGE * (len(lengths) - 1))]
    return width if _NARROWEST <= width <= _WIDEST else 0


def _vote(line: str, following: str) -> int:
    """1 where a sentence goes on, -1 where something else begins, 0 where nothing can be told."""
    if _ENDED.search(line):
        return 0
    first = following.lstrip("\"'“‘„«(*_> \t")[:1]
    if first.isupper() and not line.endswith(("-", "‐")):
        return 0 if line.endswith(",") else -1
    return 1
