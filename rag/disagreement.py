"""Where articles contradict each other: pure functions over sentences, no LLM.

A false "they disagree" is worse than none, so two sentences count as about one fact only where their words, names and
years say so; what is in doubt is passed over. The bounds were set on the tuning half of RGB and on news-2024.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from index.times import is_newer
from index.words import content_stems, fold, stem
from rag.answer import Disagreement, DisagreementKind, EvidenceSentence, Value
from rag.mentions import Day, Mention, Name, Number, Reading, read

_COPY = 0.6  # share of the longer sentence's words that a changed copy keeps
_COPY_WORDS = 4  # and how many at least
_FRAME = 3  # words right beside a name that make it the same statement: "defeated Serena Williams in the final"
_SHARED = 0.5  # share of the shorter clause's words that stand beside both numbers
_ON_TOPIC = 0.5  # share of the question's words that a sentence and its title hold
_SAME_STATEMENT = 0.6  # share of common words from which "agreed" and "did not agree" are about one thing

# Words of the news that name one event; what stands left becomes what stands right.
_SAME_EVENT = {
    stem(word): stem(event)
    for event, words in {
        "killed": "die died dead death deaths fatalities perished lives",
        "injured": "wounded hurt injuries",
        "win": "won winner winning winners wins",
        "hold": "held",
        "cost": "bill price costs paid",
        "acquired": "bought purchased buy",
        "opened": "inaugurated opening",
        "released": "published launched",
    }.items()
    for word in words.split()
}
_GROWING = {stem(word) for word in "killed injured missing arrested displaced infected cases evacuated rescued".split()}
_MANY_CAN = {  # what one does beside others: two names before it are no contradiction
    stem(word)
    for word in "said told added visited attended met called warned asked joined spoke praised criticised welcomed "
    "urged reported took played starred supported".split()
}
_SO_FAR = re.compile(r"\b(?:now|so far|already|to date|in total|has|have|had)\b", re.IGNORECASE)
_ATTRIBUTION = re.compile(
    r"\b(?:said|says|told|according to|reported|reports|announced|added|stated|wrote|claimed|confirmed by)\b",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"[;:()·—…“”\"]|\.\.\.|,(?=\s)|\s(?:and|but|while|whereas|although|though|when|which|who)\s")
_NEGATION = re.compile(
    r"\b(?:not|never|no longer|denie[ds]|deny|denying|refused?|rejected|rejects|failed to|neither|nor|without)\b"
    r"|n[’']t\b",
    re.IGNORECASE,
)
_DOUBT = re.compile(r"\b(?:may|might|could|would|should|if|whether|unless|until|yet|only|all|always|every)\b")
_OPPOSITES = tuple(
    (frozenset(map(stem, yes.split())), frozenset(map(stem, no.split())))
    for yes, no in (
        ("confirmed confirm", "denied deny"),
        ("agreed accepted approved", "refused rejected declined"),
        ("guilty convicted", "acquitted innocent"),
    )
)
_NEGATORS = {stem(word) for word in "denied deny refused refuse rejected failed longer without never".split()}
_PART = re.compile(  # "the second quarter", "Season 7": which one of several is spoken of
    r"\b(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|final|q[1-4]|\d+(?:st|nd|rd|th)"
    r"|(?:season|series|part|volume|round|phase|stage|episode|chapter|group) \d+)\b",
    re.IGNORECASE,
)
_TIME_UNITS = {stem(word) for word in "second minute hour day week month year season time old age".split()}
_KINDS = {Number: DisagreementKind.NUMBER, Day: DisagreementKind.DATE, Name: DisagreementKind.NAME}
_ABOUT_ARTICLES = {stem(word) for word in "article source report account differ disagree compare contradict".split()}


@dataclass(frozen=True)
class _Question:
    """What is asked for: the words of it, its dates, and the kinds of value that can answer it."""

    text: str

    @cached_property
    def stems(self) -> frozenset[str]:
        return frozenset(_events(content_stems(self.text))) - _ABOUT_ARTICLES

    @cached_property
    def days(self) -> tuple[Day, ...]:
        return tuple(m.value for m in read(self.text).mentions if isinstance(m.value, Day))

    @cached_property
    def kinds(self) -> frozenset[DisagreementKind]:
        asked = self.text.lower()
        if re.search(r"\bhow (?:many|much|old|long|far|high|large|big)\b", asked):
            return frozenset({DisagreementKind.NUMBER})
        if re.search(r"\bwhen\b|\b(?:date|day|year|month)\b", asked):
            return frozenset({DisagreementKind.DATE})
        if re.match(r"\W*(?:who|whose|whom|where|which)\b", asked) and not self.is_about_articles:
            return frozenset({DisagreementKind.NAME})
        return frozenset(DisagreementKind)

    @property
    def is_about_articles(self) -> bool:
        return bool(_ABOUT_ARTICLES & {*content_stems(self.text)})

    @property
    def how_long(self) -> bool:
        return bool(re.search(r"\bhow (?:long|old)\b", self.text, re.IGNORECASE))


@dataclass(frozen=True)
class _Statement:
    """An evidence sentence, read."""

    evidence: EvidenceSentence

    @property
    def text(self) -> str:
        return self.evidence.text

    @cached_property
    def reading(self) -> Reading:
        return read(self.text)

    @cached_property
    def about(self) -> frozenset[str]:
        """The content stems of the sentence and of its article's title."""
        return frozenset(_events(content_stems(f"{self.text} {self.evidence.article.title}")))

    @cached_property
    def clauses(self) -> tuple[tuple[int, int], ...]:
        """Where its clauses stand; none begins inside a number or a date."""
        ends = [
            match.span()
            for match in _CLAUSE_END.finditer(self.text)
            if not any(m.start < match.end() and match.start() < m.end for m in self.reading.mentions)
        ]
        starts = [0, *(end for _, end in ends)]
        return tuple(zip(starts, [*(start for start, _ in ends), len(self.text)], strict=True))

    def clause(self, mention: Mention) -> tuple[int, int]:
        return next(span for span in self.clauses if span[0] <= mention.start <= span[1])

    def role(self, mention: Mention) -> list[str]:
        """The stems of a mention's clause in order, its numbers and dates left out."""
        return _events(self.reading.between(*self.clause(mention)))

    def of(self, kind: type[Number | Day | Name]) -> list[Mention]:
        return [mention for mention in self.reading.mentions if isinstance(mention.value, kind)]

    @cached_property
    def tokens(self) -> tuple[tuple[str | Number | Day, Mention | None], ...]:
        """Words as stems; a number, a date or a name of several words is one token, with its mention."""
        tokens: list[tuple[str | Number | Day, Mention | None]] = []
        position = 0
        for mention in [*self.reading.mentions, None]:
            end = mention.start if mention else len(self.text)
            tokens += [(token, None) for token in _events(content_stems(self.text[position:end]))]
            if mention:
                tokens.append((_key(mention), mention))
                position = mention.end
        return tuple(tokens)

    @cached_property
    def names(self) -> frozenset[str]:
        """The words of its names, without whoever is only quoted and without a capital that begins the sentence."""
        kept: set[str] = set()
        for mention in self.of(Name):
            assert isinstance(mention.value, Name)
            begins = not re.search(r"\w", self.text[: mention.start]) and len(mention.value.words) == 1
            if not begins and not self._is_quoted(mention):
                kept.update(mention.value.words)
        return frozenset(kept)

    def _is_quoted(self, mention: Mention) -> bool:
        start, end = self.clause(mention)
        for said in _ATTRIBUTION.finditer(self.text, start, end):
            if said.group().lower() == "according to" or "by" in said.group():
                if mention.start > said.start():
                    return True
            elif mention.end <= said.start():
                return True
        return False

    def days_beside(self, mention: Mention | None) -> list[Day]:
        """Its other dates; one in a clause of its own is a dateline. Without any, the year of the article."""
        days = [other for other in self.of(Day) if other is not mention and self.role(other)]
        if not days and mention is not None and not isinstance(mention.value, Day):
            year = self.evidence.article.published[:4]
            return [Day(int(year))] if year.isdecimal() else []
        return [other.value for other in days if isinstance(other.value, Day)]


@dataclass(frozen=True, slots=True)
class _Clash:
    """Two sentences of different articles with what they say differently: (statement, start, end) of each."""

    kind: DisagreementKind
    one: tuple[_Statement, int, int]
    other: tuple[_Statement, int, int]
    update: bool = False


def disagreements(question: str, sentences: Sequence[EvidenceSentence]) -> tuple[Disagreement, ...]:
    """The facts asked for that different articles tell differently, in the order of the sentences.

    Two sentences are about the same fact if both are about the question, no name or date sets them apart, and either
    one is a copy of the other with one specific changed, or the values stand beside the same words.
    """
    asked = _Question(question)
    statements = [_Statement(sentence) for sentence in sentences]
    clashes = [
        clash
        for one, other in itertools.combinations(statements, 2)
        if one.evidence.article.id != other.evidence.article.id and not _parts_apart(one, other)
        for clash in _clashes(asked, one, other)
        if clash.kind in asked.kinds or clash.kind is DisagreementKind.POLARITY
    ]
    return tuple(_disagreement(group) for group in _groups(clashes))


def heading(disagreement: Disagreement) -> str:
    """What is said before a disagreement: a count that grew was brought up to date."""
    return "Updated" if disagreement.update else "The articles differ"


def in_words(disagreement: Disagreement) -> str:
    """Who says what, the oldest first: "City Gazette (2021-03-02): 14 million euros; Coast Weekly …"."""
    said: dict[str, list[str]] = {}
    for value in disagreement.values:
        about = ", ".join(part for part in (value.published, "newer" if value.newer else "") if part)
        said.setdefault(value.text, []).append((value.source or value.title) + (f" ({about})" if about else ""))
    return "; ".join(f"{', '.join(who)}: {text.rstrip('.')}" for text, who in said.items()) + "."


def _parts_apart(one: _Statement, other: _Statement) -> bool:
    mine, others = ({match.lower() for match in _PART.findall(s.text)} for s in (one, other))
    return bool(mine and others) and not mine & others


def _is_asked_for(asked: _Question, statement: _Statement) -> bool:
    """Whether a sentence is about what is asked, and of the time that is asked for."""
    if len(asked.stems & statement.about) < _ON_TOPIC * len(asked.stems):
        return False
    return not _days_apart(asked.days, statement.days_beside(None))


def _clashes(asked: _Question, one: _Statement, other: _Statement) -> Iterator[_Clash]:
    copy = _changed_copy(asked, one, other)
    if copy:
        yield copy
        return
    if not (_is_asked_for(asked, one) and _is_asked_for(asked, other)) or _name_apart(asked, one, other):
        return
    for mine, others in itertools.product(one.of(Number), other.of(Number)):
        if _same_count(asked, one, mine, other, others):
            yield _clash(one, mine, other, others)
    for mine, others in itertools.product(one.of(Day), other.of(Day)):
        if _same_event(asked, one, mine, other, others):
            yield _clash(one, mine, other, others)
    yield from _contrary(one, other)


# A copy with one specific changed


def _changed_copy(asked: _Question, one: _Statement, other: _Statement) -> _Clash | None:
    """The one specific in which two sentences differ that are otherwise the same words, or the same frame."""
    if not asked.stems & one.about & other.about:
        return None
    mine, others = one.tokens, other.tokens
    common = {key for key, _ in mine} & {key for key, _ in others}
    if len(common) < _FRAME:
        return None
    matcher = SequenceMatcher(None, [key for key, _ in mine], [key for key, _ in others], autojunk=False)
    blocks = matcher.get_opcodes()
    changed = [block for block in blocks if block[0] == "replace"]
    pairs = [
        (left, right, block)
        for block in changed
        if (left := _only(mine[block[1] : block[2]])) and (right := _only(others[block[3] : block[4]]))
    ]
    if len(pairs) != 1 or not _conflict(pairs[0][0], pairs[0][1]):
        return None
    left, right, block = pairs[0]
    if isinstance(left.value, Name) and not (_is_told(one, left) and _is_told(other, right)):
        return None
    same = sum(end - start for kind, start, end, _, _ in blocks if kind == "equal")
    rest = [b for b in changed if b is not block and b[2] < len(mine) and b[4] < len(others)]
    is_copy = not rest and same >= max(_COPY_WORDS, _COPY * (min(len(mine), len(others)) - 1))
    after = next((b for b in blocks if b[0] == "equal" and b[1] == block[2]), None)
    if isinstance(left.value, Name) and after and mine[after[1]][0] in _MANY_CAN:
        return None
    in_frame = isinstance(left.value, Name) and after is not None and after[2] - after[1] >= _FRAME
    if not (is_copy or in_frame) or _times_apart(one, left, other, right):
        return None
    return _clash(one, left, other, right)


def _only(tokens: Sequence[tuple[str | Number | Day, Mention | None]]) -> Mention | None:
    """The mention that the tokens are, if they are nothing else."""
    return tokens[0][1] if len(tokens) == 1 else None


def _key(mention: Mention) -> str | Number | Day:
    return _stem_key(mention.value.words) if isinstance(mention.value, Name) else mention.value


def _stem_key(words: Sequence[str]) -> str:
    return " ".join(_events(stem(word) for word in words))


# The same words beside two values


def _same_count(asked: _Question, one: _Statement, mine: Mention, other: _Statement, others: Mention) -> bool:
    if not _conflict(mine, others) or not (_alone(one, mine) and _alone(other, others)):
        return False
    if _times_apart(one, mine, other, others):
        return False
    assert isinstance(mine.value, Number)
    units = _noun(one, mine), _noun(other, others)
    if not mine.value.unit and units[0] != units[1] and all(units):
        return False
    if {*units} & _TIME_UNITS and not (asked.stems & {*units} or asked.how_long):
        return False
    shared = _shared(one, mine, other, others) - {*units}
    words = [{*statement.role(mention)} - {*units} for statement, mention in ((one, mine), (other, others))]
    if len(shared) < _SHARED * min(map(len, words)):
        return False
    return bool(shared & asked.stems) and _heads_agree(asked, one, mine, other, others)


def _same_event(asked: _Question, one: _Statement, mine: Mention, other: _Statement, others: Mention) -> bool:
    if not _conflict(mine, others) or not (_alone(one, mine) and _alone(other, others)):
        return False
    shared = _shared(one, mine, other, others)
    nearest = {_nearest(one, mine), _nearest(other, others)}
    known = asked.stems | (one.about & other.about)
    leads = {*_leading(one, mine), *_leading(other, others)}
    return bool(shared & asked.stems) and shared >= nearest and known >= leads


def _conflict(mine: Mention, others: Mention) -> bool:
    if isinstance(mine.value, Number) and isinstance(others.value, Number):
        return mine.value.conflicts(others.value)
    if isinstance(mine.value, Day) and isinstance(others.value, Day):
        return mine.value.conflicts(others.value)
    if isinstance(mine.value, Name) and isinstance(others.value, Name):
        return mine.value.conflicts(others.value)
    return False


def _is_told(statement: _Statement, mention: Mention) -> bool:
    """Whether a name stands in a whole sentence; headings tell nothing, and initials may stand for a longer name."""
    name = statement.text[mention.start : mention.end]
    return not name.isupper() and bool(re.search(r"[.!?…][\"”’')]*$", statement.text))


def _alone(statement: _Statement, mention: Mention) -> bool:
    """Whether its clause holds no other value of the same kind and unit."""
    start, end = statement.clause(mention)
    rivals = [m for m in statement.of(type(mention.value)) if m is not mention and start <= m.start < end]
    return not any(_unit(rival) == _unit(mention) for rival in rivals)


def _unit(mention: Mention) -> str:
    return mention.value.unit if isinstance(mention.value, Number) else ""


def _noun(statement: _Statement, mention: Mention) -> str:
    """The first topic word right after a plain number: what it counts; "" for none."""
    _, end = statement.clause(mention)
    following = re.match(r"\s+([\w’'-]+)", statement.text[mention.end : end])
    words = content_stems(following.group(1)) if following else []
    return _events(words)[0] if words else ""


def _shared(one: _Statement, mine: Mention, other: _Statement, others: Mention) -> set[str]:
    """The topic words of both clauses, names left out: those say of whom, not what."""
    names = {_event(stem(word)) for word in one.names | other.names}
    return set(one.role(mine)) & set(other.role(others)) - names


def _nearest(statement: _Statement, mention: Mention) -> str:
    """The topic word nearest before a mention in its clause, or else after it; names do not count."""
    start, end = statement.clause(mention)
    names = {_event(stem(word)) for word in statement.names}
    before = [w for w in _events(statement.reading.between(start, mention.start)) if w not in names]
    after = [w for w in _events(statement.reading.between(mention.end, end)) if w not in names]
    return before[-1] if before else after[0] if after else ""


def _heads_agree(asked: _Question, one: _Statement, mine: Mention, other: _Statement, others: Mention) -> bool:
    """Whether what each clause begins with is spoken of by the other sentence or the question."""
    return all(
        _head(statement, mention) in known | asked.stems
        for statement, mention, known in ((one, mine, other.about), (other, others, one.about))
    )


def _leading(statement: _Statement, mention: Mention) -> list[str]:
    """The topic words of its clause before a mention."""
    return _events(statement.reading.between(statement.clause(mention)[0], mention.start))


def _head(statement: _Statement, mention: Mention) -> str:
    start, end = statement.clause(mention)
    if said := _ATTRIBUTION.search(statement.text, start, mention.start):
        start = said.end()
    words = _events(statement.reading.between(start, end))
    return words[0] if words else ""


def _name_apart(asked: _Question, one: _Statement, other: _Statement) -> bool:
    """Whether each names somebody or something that the other does not: then they tell of two things."""
    asked_for = set(re.findall(r"\w+", fold(asked.text)))
    known = [set(re.findall(r"[\w’'&-]+", fold(f"{s.text} {s.evidence.article.title}"))) for s in (one, other)]
    return bool(one.names - known[1] - asked_for) and bool(other.names - known[0] - asked_for)


def _times_apart(one: _Statement, mine: Mention, other: _Statement, others: Mention) -> bool:
    """Whether the sentences date what they tell differently; articles of two years do not, by that alone."""
    told = any(s.days_beside(None) for s in (one, other))
    return told and _days_apart(one.days_beside(mine), other.days_beside(others))


def _days_apart(mine: Sequence[Day], others: Sequence[Day]) -> bool:
    return bool(mine and others) and all(a.conflicts(b) for a in mine for b in others)


# Yes and no


def _contrary(one: _Statement, other: _Statement) -> Iterator[_Clash]:
    if _days_apart(one.days_beside(None), other.days_beside(None)):
        return
    for mine, others in itertools.product(one.clauses, other.clauses):
        if _are_contrary(one.text[slice(*mine)], other.text[slice(*others)]):
            yield _Clash(DisagreementKind.POLARITY, (one, *_trimmed(one, mine)), (other, *_trimmed(other, others)))


def _are_contrary(mine: str, others: str) -> bool:
    if _DOUBT.search(mine) or _DOUBT.search(others) or _is_negative(mine) == _is_negative(others):
        return False
    if not (_denies(mine, others) if _is_negative(mine) else _denies(others, mine)):
        return False
    deciding = set().union(*(yes | no for yes, no in _OPPOSITES))
    left, right = ({*content_stems(text)} - _NEGATORS for text in (mine, others))
    decided = bool(left & deciding and right & deciding)
    if decided:
        left, right = left - deciding, right - deciding
    common = len(left & right)
    return common >= 2 + (not decided) and common >= _SAME_STATEMENT * len(left | right)


def _denies(negative: str, positive: str) -> bool:
    """Whether what follows "not" is what the other says; of "denied" and the like, all that follows is."""
    denied = re.findall(r"(?:\b(?:not|never|no longer|failed to)|n[’']t) +(?:yet +)?([a-z]+)", negative)
    return all(content_stems(word) and content_stems(word)[0] in content_stems(positive) for word in denied)


def _is_negative(clause: str) -> bool:
    stems = set(content_stems(clause))
    negations = len(_NEGATION.findall(clause)) + sum(bool(stems & no - _NEGATORS) for _, no in _OPPOSITES)
    return negations % 2 == 1


def _trimmed(statement: _Statement, clause: tuple[int, int]) -> tuple[int, int]:
    start, end = clause
    text = statement.text[start:end]
    return start + len(text) - len(text.lstrip()), end - (len(text) - len(text.rstrip()))


# Clashes → disagreements


def _clash(one: _Statement, mine: Mention, other: _Statement, others: Mention) -> _Clash:
    kind = _KINDS[type(mine.value)]
    return _Clash(
        kind, (one, *_shown(one, mine)), (other, *_shown(other, others)), _is_update(one, mine, other, others)
    )


def _shown(statement: _Statement, mention: Mention) -> tuple[int, int]:
    """A number is shown with what it counts."""
    noun = re.match(r"\s+[a-z]+", statement.text[mention.end :]) if _noun(statement, mention) else None
    plain = isinstance(mention.value, Number) and not mention.value.unit
    return mention.start, mention.end + (noun.end() if noun and plain else 0)


def _is_update(one: _Statement, mine: Mention, other: _Statement, others: Mention) -> bool:
    """Whether a count that only grows was told later as more."""
    if not (isinstance(mine.value, Number) and isinstance(others.value, Number)):
        return False
    if mine.value.unit or not (
        _shared(one, mine, other, others) & _GROWING or (_SO_FAR.search(one.text) and _SO_FAR.search(other.text))
    ):
        return False
    older, newer = mine.value, others.value
    if is_newer(one.evidence.article.published, other.evidence.article.published):
        older, newer = newer, older
    elif not is_newer(other.evidence.article.published, one.evidence.article.published):
        return False
    return older.high < newer.low


def _groups(clashes: Sequence[_Clash]) -> list[list[_Clash]]:
    """The clashes that are about one fact: of a kind, and with a value in common."""
    groups: list[list[_Clash]] = []
    for clash in clashes:
        joined = [group for group in groups if any(_touch(clash, member) for member in group)]
        groups = [group for group in groups if group not in joined]
        groups.append([*itertools.chain.from_iterable(joined), clash])
    return groups


def _touch(one: _Clash, other: _Clash) -> bool:
    return one.kind is other.kind and (bool(_places(one) & _places(other)) or _said(one) == _said(other))


def _places(clash: _Clash) -> set[tuple[int, int]]:
    return {(statement.evidence.number, start) for statement, start, _ in (clash.one, clash.other)}


def _said(clash: _Clash) -> set[object]:
    return {_meaning(statement.text[start:end]) for statement, start, end in (clash.one, clash.other)}


def _meaning(text: str) -> object:
    """A text by its one specific, so that "Aug 17, 2021" and "August 17, 2021" are the same."""
    mentions = read(text).mentions
    return mentions[0].value if len(mentions) == 1 else fold(text)


def _disagreement(group: Sequence[_Clash]) -> Disagreement:
    found = {(side[0].evidence.number, side[1]): side for clash in group for side in (clash.one, clash.other)}
    ordered = sorted(found.values(), key=lambda side: (side[0].evidence.article.published, side[0].evidence.number))
    newest = max((side[0].evidence.article.published for side in ordered), default="")
    values: dict[tuple[str, str], Value] = {}
    for statement, start, end in _copies_once(ordered):
        article = statement.evidence.article
        newer = article.published == newest and any(
            is_newer(newest, side[0].evidence.article.published) for side in ordered
        )
        text = " ".join(statement.text[start:end].split())
        values.setdefault(
            (article.id, fold(text)),
            Value(text, article.id, article.title, article.source, article.published, statement.evidence.number, newer),
        )
    return Disagreement(group[0].kind, tuple(values.values()), all(clash.update for clash in group))


def _copies_once(sides: Iterable[tuple[_Statement, int, int]]) -> list[tuple[_Statement, int, int]]:
    """The sides without those whose sentence says word for word what an earlier one did."""
    kept: dict[str, tuple[_Statement, int, int]] = {}
    for side in sides:
        kept.setdefault(" ".join(content_stems(side[0].text)), side)
    return list(kept.values())


def _events(stems: Iterable[str]) -> list[str]:
    return [_event(each) for each in stems]


def _event(each: str) -> str:
    return _SAME_EVENT.get(each, each)
