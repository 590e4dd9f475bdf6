"""Does this evidence support this sentence? Supported, partial or unsupported, from the words alone.

Two things are looked at, because they are what a small model gets wrong: whether the specifics of the sentence (its
numbers and names) stand in the evidence, and how much of its other words do. What the question supplied is given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.words import STOP_WORDS, content_stems, fold, stem
from rag.answer import EvidenceSentence, Support

# Share of the words that has to stand in the evidence; with every name and number there, paraphrase may go further.
# Set by hand, not tuned yet.
SUPPORTED_COVERAGE = 0.6
SUPPORTED_WITH_SPECIFICS = 0.3
PARTIAL_COVERAGE = 0.35
_ATTACH_GAIN = 0.08  # a further sentence is attached only if it carries this much more of the words
_MOST_ATTACHED = 3

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAME = re.compile(r"(?<![.!?“\"'] )(?<!^)\b[A-Z][\w’'-]*")
_NUMBER_WORDS = {
    word: str(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
}


def coverage(sentence: str, given: str, evidence: Sequence[str]) -> float:
    """Share (0…1) of the sentence's content words that the evidence holds; words of `given` need no evidence.

    A sentence that says nothing beyond `given` has to be held whole.
    """
    claimed = set(content_stems(sentence)) - _numbers(sentence)
    held = {word for text in evidence for word in content_stems(text)}
    owed = claimed - set(content_stems(given)) or claimed
    return len(owed & held) / len(owed) if owed else 1.0


def check(sentence: str, given: str, evidence: Sequence[str], around: Sequence[str] = ()) -> Support:
    """How far the texts of `evidence` carry `sentence`, an answer to the question `given`.

    Args:
        around: what stands around the evidence in its articles, titles included. A name that the answer takes over
            from the question needs to be spoken of there at least, or the answer is about something else.
    """
    if not evidence:
        return Support.UNSUPPORTED
    share = coverage(sentence, given, evidence)
    owed = specifics(sentence) - (_held([given]) & _held(around))
    held = _held(evidence)
    if owed - held:
        return Support.PARTIAL if share >= PARTIAL_COVERAGE else Support.UNSUPPORTED
    if share >= (SUPPORTED_WITH_SPECIFICS if owed else SUPPORTED_COVERAGE):
        return Support.SUPPORTED
    return Support.PARTIAL if owed or share >= PARTIAL_COVERAGE else Support.UNSUPPORTED


def supporting(
    sentence: str, given: str, named: Sequence[int], evidence: Sequence[EvidenceSentence]
) -> tuple[int, ...]:
    """The evidence numbers that carry a sentence: of those the model named, the ones that hold some of it; where they
    do not carry it alone, the sentences of the evidence that carry the rest.

    Citations point at what a sentence rests on, and a small model's markers are often one sentence off.
    """
    texts = {e.number: e.text for e in evidence}
    around = [*texts.values(), *(e.article.title for e in evidence)]
    chosen = [n for n in named if n in texts and _carried(sentence, [texts[n]]) > 0]
    while len(chosen) < _MOST_ATTACHED:
        held = [texts[n] for n in chosen]
        if check(sentence, given, held, around) is Support.SUPPORTED:
            break
        best = max(
            (n for n in texts if n not in chosen),
            key=lambda n: (_carried(sentence, [*held, texts[n]]), -n),
            default=None,
        )
        if best is None or _carried(sentence, [*held, texts[best]]) - _carried(sentence, held) < _ATTACH_GAIN:
            break
        chosen.append(best)
    return tuple(chosen)


def invents(sentence: str, given: str, evidence: Sequence[EvidenceSentence]) -> bool:
    """Whether a sentence names something that neither the question nor any of the evidence does."""
    texts = [text for e in evidence for text in (e.text, e.article.title)]
    return bool(specifics(sentence) - _held([given, *texts]))


def specifics(text: str) -> set[str]:
    """Numbers as digits, and the stems of words that are written with a capital inside a sentence."""
    names = {stem(word) for name in _NAME.findall(text) for word in _words_of(name)}
    return names | _numbers(text)


def _words_of(name: str) -> list[str]:
    return [word for word in re.findall(r"\w+", fold(name)) if word not in STOP_WORDS]


def _carried(sentence: str, evidence: Sequence[str]) -> float:
    """Like coverage of everything, numbers included."""
    claimed = set(content_stems(sentence)) | _numbers(sentence)
    held = _held(evidence)
    return len(claimed & held) / len(claimed) if claimed else 1.0


def _held(texts: Sequence[str]) -> set[str]:
    return {word for text in texts for word in (*content_stems(text), *_numbers(text))}


def _numbers(text: str) -> set[str]:
    folded = fold(text)
    digits = {match.replace(",", "").rstrip(".") for match in _NUMBER.findall(folded)}
    return digits | {_NUMBER_WORDS[word] for word in re.findall(r"[a-z]+", folded) if word in _NUMBER_WORDS}
