"""A follow-up and the conversation before it → a question that stands alone. No LLM call where none is needed.

Whether a question points out of itself is told by its words alone: pronouns, demonstratives and ellipses that nothing
earlier in the same question resolves. Where the words can't tell, a call is made: it costs a second, while a follow-up
that was taken for a whole question costs the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from index.words import content_stems, content_words, fold, stem, words
from prompts import Write, render
from rag.answer import Turn

_TOLD = 1_800  # characters of the conversation that a rewrite is asked for with, however long it is
_TURN = 400  # of them for one turn
_EXCHANGES = 3  # the one that opened the topic, and the last two
_KEPT = 0.7  # share of the question's own words that a rewrite has to keep
_MAX_GROWTH = 30  # words that a rewrite may add; more is an answer or a tale, not a question
_SOME = 4  # content words; more say enough even where they speak of "the" thing
_WHOLE = 7  # words of any kind; a question of so many is a sentence
_FEW = 3  # content words; fewer, or no more without a verb, lean on what was said before

_DETERMINER = r"(?:the|an?|this|that|every|each|my|our|your)"
AUXILIARY = (
    r"(?:am|is|are|was|were|be|been|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must"
    r"|(?:is|are|was|were|do|does|did|has|have|had|ca|could|wo|would|should)n[’']t)"
)
_TIMES = (
    r"(?:time|day|night|week|weekend|month|year|decade|century|season|morning|afternoon|evening|spring|summer|autumn"
    r"|fall|winter)s?"
)
_CLAUSE_ENDS = re.compile(
    r"[.?!;:,]\s|\s(?:and|but|or|that|who|which)\s|\b(?:said|says|announce[ds]|claim(?:s|ed)|admit(?:s|ted)|denie[ds])\s",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<=[\w,;:’'] )(?!I\b)[A-Z][\w’'-]+|\b\d{4}\b|[“\"]")
_FULL_NAME = re.compile(r"\b(?:[A-Z][\w’'-]+ ){1,3}[A-Z][\w’'-]+")
_SUBJECT_START = re.compile(rf"\s*(?:{_DETERMINER}\b|[A-Z]|he\b|she\b|they\b|we\b|you\b|I\b)")
_DEFINITE = re.compile(r"\bthe (?:\w+ )??(\w+)(?=\s*[?.!,]|\s*$|\s)", re.IGNORECASE)
_FIRST_AUXILIARY = re.compile(rf"\b{AUXILIARY}\b", re.IGNORECASE)
_ONE_THING = re.compile(r" [A-Z]|\b(?:the|an?) ")
_SEVERAL = re.compile(r" [A-Z]|\b[a-z]{2,}[^\Ws]s\b")
_NOUN_PHRASE = re.compile(rf"\b{_DETERMINER}\s+[a-z]\w+", re.IGNORECASE)
_ASKS = re.compile(
    rf"^(?:who|whom|whose|what|when|where|why|which|how|{AUXILIARY}|please|tell|give|show|list|name|explain|describe"
    r"|compare|i|we|my)\b",
    re.IGNORECASE,
)

# What is said before the question itself.
_PLEASANTRY = re.compile(
    r"^(?:(?:ok(?:ay)?|i see|thanks?(?: you)?(?: very much| a lot)?|(?:that|it)(?: is|[’']s) (?:fine|ok(?:ay)?"
    r"|great|good|all right)|no problem|never mind|(?:don[’']t|no) worr\w+|great|good|sure|yes|no|well|right)"
    r"\b[\s,.!]+)+(?=\S)",
    re.IGNORECASE,
)
_CONTINUES = re.compile(
    r"^(?:and|but|or|so|then|also)\b|^(?:what|how) about\b|^what if\b|^why not\b|^for example\b|^such as\b",
    re.IGNORECASE,
)
_OF_WHAT_WAS_SAID = re.compile(
    r"\b(?:(?:who|what|where|when|how|why|any\w+|some\w+|no\w+) else\b|instead\b(?! of)"
    r"|(?:back|since|by|until|before) then\b|then\s*\?|latter\b|the former\b\s*(?:\?|,|$|"
    + AUXILIARY
    + r"\b)|such\b(?! as)|one more time\b|once more\b"
    r"|you (?:just |have )?(?:said|say|mention\w*|told|wrote|named|listed)\b|(?:that|this|those|these) same\b"
    r"|your (?:\w+ ){0,2}(?:answers?|statements?|lists?|repl(?:y|ies)|examples?)\b)|^one (?:with|that|which|of)\b",
    re.IGNORECASE,
)
# May be meant within the question: "these two … and the other one".
_OF_SEVERAL = re.compile(
    r"\b(?:the same\b(?!.*\bas\b)|both\b(?!.*\band\b)|neither\b(?!.*\bnor\b)|either\b(?!.*\bor\b)"
    r"|(?:the|any|what|which|his|her|its|their) others?\b(?! than)|(?<!each )(?<!among )others\b"
    r"|(?:the|which|that|this|another)(?: (?!only|no)\w+)? one\b(?! (?:of|who|that|which|in|at|on|near|from|for|with"
    r"|hundred|thousand|million|billion|" + _TIMES + r")\b)|ones\b(?! (?:who|that|which)\b))",
    re.IGNORECASE,
)
_DEMONSTRATIVE = re.compile(
    rf"\bthis\b(?! {_TIMES}\b)|\bthese\b(?! {_TIMES}\b)|\bthose\b(?! (?:who|whom|whose|which|that|with|in|of|from)\b)"
    rf"|\bthat(?= {_TIMES}\b)|(?:^|\b(?:{AUXILIARY}|about|of|for|in|at|to|with|on|by|from|after|before|since"
    r"|like|than|why|how|besides|despite|during))\s*\bthat\b(?! is\b.*\bthat\b)|\bthat\s*(?:[?.!,;]|$)",
    re.IGNORECASE,
)  # fmt: skip
_PLACE = re.compile(
    r"(?<!\bis )(?<!\bare )(?<!\bwas )(?<!\bwere )(?<!\bbe )(?<!\bbeen )(?<!n[’']t )(?<!\bhas )(?<!\bhave )(?<!\bdid )"
    r"(?<!\bdoes )(?<!\bdo )(?<!\bcan )(?<!\bwill )\bthere\b"
    rf"(?![’']s\b|\s+(?:{AUXILIARY}|exists?|existed|seems?|remains?)\b)|\bbeen there\b",
    re.IGNORECASE,
)
_IT = re.compile(r"\b(?:it|itself|they|them|themselves)\b", re.IGNORECASE)
_ITS = re.compile(r"\bits\b", re.IGNORECASE)
_THEIR = re.compile(r"\btheirs?\b", re.IGNORECASE)
_PERSON = re.compile(r"\b(?:he|she|him|himself|herself)\b", re.IGNORECASE)
_OF_PERSON = re.compile(r"\b(?:his|hers?)\b", re.IGNORECASE)
_ANYONE = re.compile(r"\b(?:who|whoever|some(?:one|body)|any(?:one|body)|(?:an?|every|each) \w+)\b", re.IGNORECASE)

_JUDGED = (
    r"(?:true|false|possible|impossible|necessary|likely|unlikely|important|legal|illegal|lawful|known|said|clear|safe"
    r"|ok|okay|right|wrong|fair|common|normal|usual|hard|easy|difficult|better|best|worth|good|bad|wise|allowed"
    r"|expected|believed|thought|reported|estimated|established|alleged|claimed|decided|determined|agreed|time|called)"
)
# "It" that stands for nothing. What follows "to" must have an object: "is it safe to use?" asks of something.
_EMPTY_IT = re.compile(
    rf"\b[Ii]t(?:[’']s)?(?: (?:is|was|has been|will be|would be|be|been|not|really|still|also))* {_JUDGED} (?:\w+ )?"
    r"(?:(?:that|if|whether|when|how|who|what|where|why)\b|(?:for .+ )?to \w+ \w+ ?\w+)"
    r"|\b[Ii]t (?:seems?|seemed|appears?|appeared|turns? out|turned out|happens?|rains?|snows?|raining|snowing)\b"
    r"|\b[Hh]ow (?:long|much|many)\b[^?.]* it (?:take|cost|require)s?"
    r"(?: (?:you|me|us|one|people|(?:an?|the) \w+))? to\b"
    r"|\b(?:[Ii]s|[Ww]as) it [A-Z][\w’'-]+(?: [A-Z][\w’'-]+)* (?:who|that)\b"
    r"|\b[Ww]hat time is it\b|\b[Ww]hat (?:does|did|would|will) it take\b",
)  # fmt: skip


def refers_back(question: str, history: Sequence[Turn]) -> bool:
    """Whether a question can't be understood without the conversation before it."""
    if not any(turn.role == "user" for turn in history):
        return False
    bare = _bare(question)
    return (
        points_out(question) or _is_fragment(bare) or _answers_back(bare, history[-1]) or _rests_on(bare, history[-2:])
    )


def points_out(question: str) -> bool:
    """Whether words of a question stand for something that the question itself does not name."""
    bare = _bare(question)
    return bool(
        _CONTINUES.search(bare)
        or _OF_WHAT_WAS_SAID.search(bare)
        or any(
            not _is_named_before(bare[: found.start()])
            for pattern in (_OF_SEVERAL, _DEMONSTRATIVE, _PLACE)
            for found in pattern.finditer(bare)
        )
        or pronouns(bare)
    )


def pronouns(question: str) -> list[str]:
    """The pronouns of a question that nothing before them in it could be meant by, in lower case."""
    empty = [found.span() for found in _EMPTY_IT.finditer(question)]
    left = []
    for pattern, resolved in _RESOLVED:
        for found in pattern.finditer(question):
            if any(start <= found.start() < end for start, end in empty):
                continue
            if not resolved(question[: found.start()]):
                left.append(found[0].lower())
    return left


def names_something(question: str) -> bool:
    """Whether a name, a year or a quotation stands in a question; its first word is no sign of one."""
    return bool(_NAME.search(question))


def standalone(question: str, history: Sequence[Turn], write: Write) -> str:
    """The question with what it refers to filled in; unchanged, and without a call, where it refers to nothing.

    Args:
        history: the conversation so far, oldest first; however long, a bounded part of it is told.
        write: the model: messages and the most tokens → text.
    """
    if not refers_back(question, history):
        return question
    said = told(history)
    prompt = render("condense", conversation="\n".join(said), question=question)
    rewritten = write(prompt, 80).strip().split("\n")[0].strip().strip('"“”').strip()
    if _is_rewrite(rewritten, question, said):
        return rewritten
    same = set(content_words(rewritten)) == set(content_words(question))
    stands_alone = not points_out(question) and not _is_fragment(_bare(question))
    return question if same and stands_alone else _joined(question, history)


def told(history: Sequence[Turn]) -> list[str]:
    """The turns that a follow-up may refer to, a line each and oldest first, within a budget of characters.

    They begin with the last question that stood alone, for it named what the follow-ups since are about, and with the
    one before it if both are of one topic. Of a long run of follow-ups the middle is left out.
    """
    exchanges = _exchanges(history)
    opening = _opening(exchanges)
    recent = exchanges[max(opening + 1, len(exchanges) - _EXCHANGES + 1) :]
    chosen = [exchanges[opening], *recent]
    if opening and len(chosen) < _EXCHANGES and _share_words(exchanges[opening - 1][0], exchanges[opening][0]):
        chosen.insert(0, exchanges[opening - 1])
    lines = [_line(turn) for exchange in chosen for turn in exchange]
    while len(lines) > 1 and sum(map(len, lines)) > _TOLD:
        del lines[1]  # never the opening question, and the latest turns last
    return lines


# What a pronoun may be meant by


def _bare(question: str) -> str:
    return _PLEASANTRY.sub("", " ".join(question.split()))


def _is_named_before(before: str) -> bool:
    """Whether an earlier clause names something; an object is never the subject of its own clause."""
    ends = list(_CLAUSE_ENDS.finditer(before))
    if not ends:
        return False
    clause = before[: ends[-1].start()]
    return bool(_NAME.search(clause) or _NOUN_PHRASE.search(clause) or len(content_words(clause)) > 1)


def _has_owner(before: str) -> bool:
    """Whether something in an earlier clause, or the subject of this one, may be what owns."""
    return _is_named_before(before) or _owns_what_is_asked(before) or bool(_ONE_THING.search(_subject(before)))


def _has_owners(before: str) -> bool:
    return _is_named_before(before) or _owns_what_is_asked(before) or bool(_SEVERAL.search(_subject(before)))


def _subject(before: str) -> str:
    """As much of a clause as may be its subject: what follows the auxiliary verb."""
    found = _FIRST_AUXILIARY.search(before)
    return before[found.end() :] if found else ""


def _owns_what_is_asked(before: str) -> bool:
    """Whether what is asked for is the subject, as in "which town lost its …" and "which town is changing its …".

    In "which problems does the author say their …" it is an object, which owns nothing.
    """
    found = _FIRST_AUXILIARY.search(before)
    if not found:
        return len(content_words(before)) > 1  # a noun and its verb
    verb, rest = found[0].lower(), before[found.end() :]
    is_subject = not _SUBJECT_START.match(rest) if rest.strip() else verb in ("has", "have", "had")
    return is_subject and verb not in ("do", "does", "did") and bool(content_words(before[: found.start()]))


def _is_of_a_person(before: str) -> bool:
    return bool(_FULL_NAME.search(before) or _ANYONE.search(before))


def _has_person_who_owns(before: str) -> bool:
    return _is_of_a_person(before) or bool(re.search(r" [A-Z]", _subject(before)))


_RESOLVED: tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...] = (
    (_IT, _is_named_before),
    (_ITS, _has_owner),
    (_THEIR, _has_owners),
    (_PERSON, _is_of_a_person),
    (_OF_PERSON, _has_person_who_owns),
)


def _rests_on(question: str, last: Sequence[Turn]) -> bool:
    """Whether a short question without a name is about "the" thing that was spoken of last."""
    if _NAME.search(question) or len(content_words(question)) > _SOME:
        return False
    spoken = {stem for turn in last for stem in content_stems(turn.content)}
    return any(stem(fold(found[1])) in spoken for found in _DEFINITE.finditer(question))


def _is_fragment(question: str) -> bool:
    """Whether there is too little of a question: hardly a word of its own, or a few words and no verb."""
    count = len(content_words(question))
    if not _ASKS.match(question):
        return count <= _FEW and len(words(question)) < _WHOLE
    return count < _FEW and len(words(question)) < _WHOLE and not _NAME.search(question)


def _answers_back(question: str, last: Turn) -> bool:
    """Whether it is no question but the reply to one."""
    asked_back = last.role == "assistant" and last.content.rstrip().endswith("?")
    return asked_back and not question.rstrip().endswith("?")


# What is told of a conversation


Exchange = tuple[Turn, ...]  # a question and what was answered


def _exchanges(history: Sequence[Turn]) -> list[Exchange]:
    found: list[list[Turn]] = []
    for turn in history:
        if turn.role == "user" or not found:
            found.append([])
        found[-1].append(turn)
    return [tuple(exchange) for exchange in found if exchange[0].role == "user"]


def _opening(exchanges: Sequence[Exchange]) -> int:
    """The last exchange whose question stood alone; the first for none."""
    for n in range(len(exchanges) - 1, 0, -1):
        if not refers_back(exchanges[n][0].content, exchanges[n - 1]):
            return n
    return 0


def _share_words(a: Turn, b: Turn) -> bool:
    return bool(set(content_stems(a.content)) & set(content_stems(b.content)))


def _line(turn: Turn) -> str:
    return f"{'Question' if turn.role == 'user' else 'Answer'}: {_cut(' '.join(turn.content.split()), _TURN)}"


def _cut(text: str, limit: int) -> str:
    """The sentences that fit; of a sentence that does not fit at all, the words."""
    if len(text) <= limit:
        return text
    start = text[:limit]
    ends = [found.end() for found in re.finditer(r"[.!?][”\"')\]]*(?=\s)", start)]
    return start[: ends[-1]] if ends else start.rsplit(" ", 1)[0]


# What comes back


def _is_rewrite(rewritten: str, question: str, said: Iterable[str]) -> bool:
    """Whether the rewrite kept the question, and took what it added from the conversation."""
    before, after = set(content_words(question)), set(content_words(rewritten))
    added, known = after - before, set(content_words(" ".join(said)))
    return (
        0 < len(words(rewritten)) <= len(words(question)) + _MAX_GROWTH
        and len(before & after) >= _KEPT * len(before)
        and 2 * len(added & known) > len(added)
    )


def _joined(question: str, history: Sequence[Turn]) -> str:
    """Without a usable rewrite: the question, and what named its topic, for the search to make the best of."""
    exchanges = _exchanges(history)
    asked = [exchanges[n][0].content for n in dict.fromkeys((_opening(exchanges), len(exchanges) - 1))]
    answer = " ".join(exchanges[-1][-1].content.split())
    return f"{question} ({' '.join(_cut(' '.join(each.split()), _TURN) for each in asked)} {_cut(answer, _TURN)})"
