"""Does this evidence support this sentence? Supported, partial or unsupported, from the words alone.

Two things are checked, because they are what a small model gets wrong: that every number of the sentence stands in
the evidence, and that the words that carry its meaning do. Words that the question supplied count as given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.words import content_stems, fold
from rag.answer import EvidenceSentence, Support

SUPPORTED_COVERAGE = 0.6  # share of the sentence's words in the cited sentences; tuned as docs/tuning.md says
PARTIAL_COVERAGE = 0.35
_ATTACH_GAIN = 0.08  # a further sentence is attached only if it carries this much more of the words
_MOST_ATTACHED = 3

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NUMBER_WORDS = {
    word: str(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
}


def coverage(sentence: str, given: str, evidence: Sequence[str]) -> float:
    """Share (0…1) of the sentence's content words that the evidence holds; words of `given` need no evidence."""
    claimed = set(content_stems(sentence)) - _numbers(sentence)
    free = set(content_stems(given))
    held = {stem for text in evidence for stem in content_stems(text)}
    owed = claimed - free or claimed
    return len(owed & held) / len(owed) if owed else 1.0


def check(sentence: str, given: str, evidence: Sequence[str]) -> Support:
    """How far the texts of `evidence` carry `sentence`, an answer to the question `given`."""
    if not evidence:
        return Support.UNSUPPORTED
    share = coverage(sentence, given, evidence)
    numbers_held = _numbers(sentence) <= {n for text in (*evidence, given) for n in _numbers(text)}
    if share >= SUPPORTED_COVERAGE and numbers_held:
        return Support.SUPPORTED
    return Support.PARTIAL if share >= PARTIAL_COVERAGE else Support.UNSUPPORTED


def supporting(
    sentence: str, given: str, named: Sequence[int], evidence: Sequence[EvidenceSentence]
) -> tuple[int, ...]:
    """The evidence numbers that carry a sentence: of those the model named, the ones that hold some of it; where they
    do not carry it alone, the sentences of the evidence that carry the rest.

    Citations point at what a sentence rests on, and a small model's markers are often one sentence off.
    """
    texts = {e.number: e.text for e in evidence}
    chosen = [n for n in named if n in texts and coverage(sentence, "", [texts[n]]) > 0]
    while len(chosen) < _MOST_ATTACHED:
        held = [texts[n] for n in chosen]
        if held and check(sentence, given, held) is Support.SUPPORTED:
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


def _carried(sentence: str, evidence: Sequence[str]) -> float:
    """Like coverage, with the numbers as words that must be held."""
    claimed = set(content_stems(sentence)) | _numbers(sentence)
    held = {word for text in evidence for word in {*content_stems(text), *_numbers(text)}}
    return len(claimed & held) / len(claimed) if claimed else 1.0


def _numbers(text: str) -> set[str]:
    folded = fold(text)
    digits = {match.replace(",", "").rstrip(".") for match in _NUMBER.findall(folded)}
    return digits | {_NUMBER_WORDS[word] for word in re.findall(r"[a-z]+", folded) if word in _NUMBER_WORDS}
