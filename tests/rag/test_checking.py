from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from index.article import Article
from index.relevance import Score, Scores, bundled
from rag.answer import EvidenceSentence, Support
from rag.checking import check

HARBOUR = Article("harbour", "Harbour of Gwadar", "The harbour opened in 2007. Its cranes came from China.")
RAIL = Article("rail", "Trains to Quetta", "The railway was closed for repairs.", source="Coast Weekly")
EVIDENCE = (
    EvidenceSentence(1, HARBOUR, 0, 0, 27, 1.0),
    EvidenceSentence(2, HARBOUR, 1, 28, len(HARBOUR.text), 0.9),
    EvidenceSentence(3, RAIL, 0, 0, len(RAIL.text), 0.8),
)
OPENED, CRANES, CLOSED = (
    "The harbour opened in 2007.",
    "Its cranes came from China.",
    "The railway was closed for repairs.",
)


def told(relevance: Mapping[str, float]) -> Score:
    def score(question: str, texts: Sequence[str]) -> Scores:
        return np.array([relevance.get(text, -11.0) for text in texts], dtype=np.float32)

    return score


def test_every_sentence_is_cited_by_what_carries_it() -> None:
    checked = check(f"{OPENED} [1] {CRANES} [1]", "When?", EVIDENCE, told({}))
    assert [sentence.text for sentence in checked.sentences] == [OPENED, CRANES]
    assert [[citation.quote for citation in each.citations] for each in checked.sentences] == [[OPENED], [CRANES]]
    assert {sentence.support for sentence in checked.sentences} == {Support.SUPPORTED}
    assert (checked.removed, checked.invented_markers) == ((), 0)


def test_what_nothing_carries_is_taken_out_and_the_numbers_run_on() -> None:
    checked = check(f"Elephants danced on Jupiter [9]. {OPENED} [1]", "When?", EVIDENCE, told({}))
    assert checked.removed == ("Elephants danced on Jupiter.",)
    assert checked.invented_markers == 1
    assert [citation.number for citation in checked.sentences[0].citations] == [1]


@pytest.mark.parametrize(
    ("second", "relevance", "stays"),
    [
        (CLOSED, -10.9, False),  # of another article, and nothing to do with the question
        (CLOSED, -8.0, True),
        (CRANES, -10.9, True),  # of the article that the answer rests on
    ],
)
def test_what_is_beside_the_question_and_from_elsewhere_is_taken_out(
    second: str, relevance: float, stays: bool
) -> None:
    checked = check(f"{OPENED} [1] {second} [2][3]", "When did it open?", EVIDENCE, told({second: relevance}))
    assert [sentence.text for sentence in checked.sentences] == ([OPENED, second] if stays else [OPENED])
    assert checked.removed == (() if stays else (second,))


def test_the_first_sentence_stays_whatever_it_is_about() -> None:
    assert [s.text for s in check(CLOSED, "Who sings?", EVIDENCE, told({})).sentences] == [CLOSED]


def test_nothing_written_shows_nothing() -> None:
    assert check("", "When?", EVIDENCE, told({})).sentences == ()


def test_a_real_question_and_what_stands_beside_it() -> None:
    text = f"{OPENED} [1] {CLOSED} [3]"
    assert check(text, "When did the harbour of Gwadar open?", EVIDENCE, bundled().scores).removed == (CLOSED,)
    both = "What happened to the harbour and to the railway?"
    assert check(text, both, EVIDENCE, bundled().scores).removed == ()
