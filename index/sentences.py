"""Text → sentences, as spans of it: Wikimedia's sentencex, and repairs of its cuts that its rules for English lack.

Chosen among eight libraries on the list in tests/index/sentences.jsonl; docs/tuning.md has the table. Every look back
or ahead has a fixed width, and each piece is looked at once: the time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import sentencex

from index.abbreviations import IN_THE_MIDDLE, REFERENCES, STARTERS, TITLES
from index.article import Span
from index.lines import soft_breaks

_UNREADABLE = re.compile(r"[^\S ]|[\ud800-\udfff]")  # sentencex panics at "B\xa0.", and surrogates are no UTF-8
_LINE = re.compile(r"[^\n\r\u2028\u2029]+")
_WINDOW = 4096
_BEHIND = 40  # characters that are looked at before a cut

# What still belongs to the sentence before, if it stands right behind its end: emphasis, note marks, closing marks.
_TAIL = re.compile(r"(?:[*_`~=”’»)\]\"']|\^?\[[\^\w]{1,5}\]|<sup>[^<>]{1,9}</sup>)++(?=\s|$)")
_ENDING = ".!?…。！？”’»)\"'"

_LIST_MARK = re.compile(r"\s*(?:[*_#>+-]+\s*)?\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,4})[.)]\s*")
_SHORTENED = re.compile(r"(?:^|[\s(\[“‘\"'*_])([^\s(\[“‘\"'*]{1,12})\.\)?\s*$")
_NEXT = re.compile(r"[\s“‘«\"'(\[*_~<>+$€£¥₹-]*([^\W_]+)")
_OPEN = r"[\s“‘«\"'(\[*_]*"
_LOWER = re.compile(_OPEN + r"(?![ა-ჿ])[^\W\d_]+(?=[\s,;:.!?)”’\"']|$)")
_NUMBER = re.compile(_OPEN + r"[#§$€£¥₹~<>+-]*\d")
_GERMAN_MONTH = re.compile(r"(?:Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)\b")
_ORDINAL = re.compile(r"\b\d{1,2}\.\s*$")
_HOUR = re.compile(r"\b[ap]\.\s?m\.\s*$", re.IGNORECASE)
_AFTER_HOUR = re.compile(
    r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|[ACEMP][DS]?T|[A-Z]{2}T|GMT|UTC)\b|"
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?\s\d"
)
# “Help us!” Mrs. Tandy cried: a name and a verb of speech behind an asked or shouted quotation.
_ASKED = re.compile(r"[?!][”’»\"']\s*$")
_SPEAKER = re.compile(
    r"(?!(?:The|An?|He|She|It|They|We|I|You|This|That|In|On|At|But|And|Then|When|No)\s)"
    r"(?:(?:[A-Z][\w’'-]{0,20}\.?|[a-z]{2,3}),?\s){1,6}"
    r"(?:said|says|ask(?:ed|s)|cri(?:ed|es)|shout(?:ed|s)|yell(?:ed|s)|demand(?:ed|s)|add(?:ed|s)|wr(?:ote|ites)|"
    r"t(?:old|ells)|repl(?:ied|ies)|exclaim(?:ed|s)|wonder(?:ed|s)|recall(?:ed|s)|declare[ds]|call(?:ed|s)|"
    r"joke[ds]|tweeted|posted|argue[ds]|insist(?:ed|s)|warn(?:ed|s))\b"
)
_QUOTED_TO = re.compile(r"[」』]\s*$")  # 「…。」と言った
# A cut that sentencex does not make: Khmer full stop, Greek question mark, Thai space between long runs.
_LINK = re.compile(r"[.!?…][*_]{0,3}\]\([^()\s]{1,500}\)\s+(?=\S)")  # [The dock was sold.](http://…) The board left.
_MORE = re.compile(
    r"(?<=[។៕])\s*(?=[^\s។៕])|(?<=[\u0370-\u03ff];)\s+(?=[^\W\d_])|(?<=[\u0e00-\u0e7f]{8})\s+(?=[\u0e00-\u0e7f]{8})"
)
# "(She had a train to catch.) The council …"
_BRACKET = re.compile(r"[.!?…][*_]{0,3}[)\]]\s+(?=[^\W\d_a-z]|[“‘\"'(*_\[])")
# sentencex keeps a quotation whole, and of one that is not closed, it leaves the mark with the sentence before.
_QUOTATION = re.compile(r"[“„][^“”„]*|\"[^\"]*\"?|«[^«»]*|‘(?:[^‘’]|’(?=\w))*")
_OPENING = re.compile(r"(?<=\s)[“„‘«\"']+$")
# Behind a full stop without a space: "conference.The rare", but "D-N.Y.", "ASP.NET".
_INITIAL = re.compile(r"(?<![A-Za-z])[A-Z]\.$")
_WORD = re.compile(r"[A-Z][a-z’']*[\s,]")


def split_sentences(text: str) -> list[Span]:
    """The sentences of a text, in order; the end of a paragraph ends one, white space belongs to none."""
    text = _without_breaks(text)
    spans: list[Span] = []
    for found in _LINE.finditer(text):
        line = found.group()
        begin = 0
        for cut in _cuts(line):
            sentence = line[begin:cut].strip()
            if sentence:
                left = found.start() + line.index(sentence[0], begin)
                spans.append(Span(left, left + len(sentence)))
            begin = cut
    return spans


def _without_breaks(text: str) -> str:
    """The text with a space in place of every line feed that ends no paragraph; as long as before."""
    seen = list(text)
    for place in soft_breaks(text):
        seen[place] = " "
    return "".join(seen)


def sentence_texts(text: str) -> list[str]:
    """The sentences of a text as texts, where their places don't matter."""
    return [" ".join(text[span.start : span.end].split()) for span in split_sentences(text)]


def _cuts(line: str) -> list[int]:
    """Where the sentences of a line end, its own end included."""
    found: set[int] = {m.end() for pattern in (_MORE, _LINK) for m in pattern.finditer(line)}
    begin = 0
    readable = _UNREADABLE.sub(" ", line)
    for cut in _ends(readable):
        found.update(_inside_quotations(readable, begin, cut))
        if line[begin:cut].lstrip()[:1] in ("(", "["):
            found.update(m.end() for m in _BRACKET.finditer(line, begin, cut))
        found.add(cut)
        begin = cut
    cased = line != line.lower()
    cuts: list[int] = []
    begin = 0
    for cut in sorted(found):
        if line[cut - 1] in _ENDING and (tail := _TAIL.match(line, cut)):
            cut = tail.end()
        elif opening := _OPENING.search(line[max(0, cut - 4) : cut]):
            cut -= len(opening.group())
        if begin < cut < len(line) and not _goes_on(line, begin, cut, cased):
            cuts.append(cut)
            begin = cut
    return [*cuts, len(line)]


def _ends(line: str) -> Iterator[int]:
    """Where sentencex ends sentences, window by window: on one long line it takes the square of the length."""
    at = 0
    while at < len(line):
        pieces: list[str] = sentencex.segment("en", line[at : at + _WINDOW])
        last = at + _WINDOW >= len(line)
        if not last and len(pieces) == 1:
            at += len(pieces[0])  # no sentence ends in it
            continue
        for piece in pieces if last else pieces[:-1]:  # the next window begins with what this one may have cut off
            at += len(piece)
            yield at


def _inside_quotations(line: str, begin: int, end: int) -> Iterator[int]:
    """Where sentences end within quotations; titles, all of their words in capitals, stay whole."""
    for quotation in _QUOTATION.finditer(line, begin, end):
        at = quotation.start() + 1
        for piece in sentencex.segment("en", line[at : quotation.end()])[:-1]:
            at += len(piece)
            if any(word == word.lower() for word in line[at : min(at + 80, quotation.end())].split()):
                yield at


def _goes_on(line: str, begin: int, cut: int, cased: bool) -> bool:
    """Whether the sentence that sentencex ends here goes on."""
    before = line[max(begin, cut - _BEHIND) : cut]
    after = line[cut : cut + 160].lstrip()
    if cased and (word := _LOWER.match(after)) and word.group().islower():
        return True  # "Which Boat? named it", "т. е. опасная"; not "eBay"
    if before.endswith(".") and line[cut].isascii() and line[cut].isalpha():
        return bool(_INITIAL.search(before)) or not _WORD.match(after)
    if before.endswith("!") and line[cut] == "[":
        return True  # a picture in Markdown
    if begin == 0 and cut < 12 and _LIST_MARK.fullmatch(line[:cut]):
        return True
    return bool(
        _is_shortened(before, after)
        or (_ORDINAL.search(before) and _GERMAN_MONTH.match(after))
        or (_HOUR.search(before) and _AFTER_HOUR.match(after))
        or (_ASKED.search(before) and _SPEAKER.match(after))
        or (_QUOTED_TO.search(before) and after.startswith(("と", "って")))
    )


def _is_shortened(before: str, after: str) -> bool:
    """Whether the full stop belongs to an abbreviation, and the sentence goes on behind it."""
    found, following = _SHORTENED.search(before), _NEXT.match(after)
    if not found or not following:
        return False
    word, begun = found[1].lower(), following[1]
    if word in REFERENCES and (_NUMBER.match(after) or len(begun) == 1):
        return True
    if begun.lower() in STARTERS and not begun.isupper():
        return False
    return word in IN_THE_MIDDLE or (word in TITLES and (found[1][0].isupper() or not word.isascii()))
