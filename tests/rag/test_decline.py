from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from index.article import Article
from index.relevance import Scores
from rag.types import EvidenceSentence
from rag.decline import MOST_WHEN_DECLINED, THRESHOLD, Decision, answerable, decide, explain, says_so


@pytest.mark.parametrize(
    "text",
    [
        "The articles do not say.",
        "The articles don’t say who paid.",
        "The numbered sentences do not mention a price.",
        "The provided text does not contain this.",
        "The price is not mentioned.",
        "No information is given on that.",
        "This cannot be determined from the sentences.",
        "The articles do not specify the date. [1]",
    ],
)
def test_a_refusal_is_recognised(text: str) -> None:
    assert says_so(text)


@pytest.mark.parametrize(
    "text",
    [
        "The port opened in 2007 [1].",
        "The minister did not say who paid [1].",
        "She denied it.",
        "",
        "The information minister did not mention the price [1].",
        "The two players were not given visas [1].",
        "The text of the treaty does not contain a deadline [1].",
        "It was not included in the budget [2].",
        "The port opened in 2007 [1]. The articles do not say who paid.",
    ],
)
def test_an_answer_is_not_taken_for_a_refusal(text: str) -> None:
    assert not says_so(text)


@pytest.mark.parametrize(
    ("written", "carried", "declined"),
    [
        ("It opened in 2007.", True, False),
        ("It burned.", False, True),
        ("The articles do not say.", False, True),
        ("The articles do not say.", True, True),
        ("", False, True),
    ],
)
def test_the_decision_follows_what_was_written_and_what_it_rests_on(
    written: str, carried: bool, declined: bool
) -> None:
    decision = decide(written, carried, 0.7)
    assert decision.declined is declined
    assert 0 <= decision.confidence <= 1
    if declined:
        assert decision.confidence <= 0.3


def test_below_the_threshold_it_is_declined_whatever_was_written() -> None:
    assert decide("It opened in 2007.", True, THRESHOLD - 0.01) == Decision(True, THRESHOLD - 0.01)
    assert decide("It opened in 2007.", True, THRESHOLD) == Decision(False, THRESHOLD)


def test_what_is_declined_for_its_text_is_shown_as_doubtful() -> None:
    assert decide("It burned.", False, 0.9) == Decision(True, MOST_WHEN_DECLINED)


HARBOUR = Article("h", "Harbour of Gwadar", "The harbour opened in 2007. Its cranes came from China.")
TRAINS = Article("t", "Trains to Quetta", "The railway was closed for repairs.")


def evidence(*places: tuple[Article, str]) -> list[EvidenceSentence]:
    found = []
    for number, (article, text) in enumerate(places, start=1):
        start = article.text.index(text)
        found.append(EvidenceSentence(number, article, number, start, start + len(text), 1.0))
    return found


FOUND = evidence(
    (HARBOUR, "The harbour opened in 2007."),
    (HARBOUR, "Its cranes came from China."),
    (TRAINS, "The railway was closed for repairs."),
)


def test_the_probability_rises_with_the_best_article_and_the_best_sentences() -> None:
    asked: list[tuple[str, tuple[str, ...]]] = []

    def probability(of_sentences: Sequence[float], of_articles: Sequence[float]) -> float:
        def score(question: str, texts: Sequence[str]) -> Scores:
            asked.append((question, tuple(texts)))
            return np.array(of_articles, dtype=np.float32)

        return answerable("When?", FOUND, np.array(of_sentences, dtype=np.float32), score)

    far, near = probability((-11, -11, -11), (-11, -11)), probability((9, 8, -11), (-11, 9))
    assert 0 < far < THRESHOLD < near < 1
    assert probability((-11, -11, -11), (-11, 9)) > far
    assert probability((9, -11, -11), (-11, -11)) > far
    assert asked[0] == (
        "When?",
        (
            "Harbour of Gwadar. The harbour opened in 2007. Its cranes came from China.",
            "Trains to Quetta. The railway was closed for repairs.",
        ),
    )


def test_without_evidence_nothing_is_answerable() -> None:
    nothing = np.zeros(0, dtype=np.float32)
    assert answerable("When?", [], nothing, lambda question, texts: nothing) == 0


def test_a_word_that_no_article_holds_is_the_reason() -> None:
    refusal = explain("Who runs the harbour of Elmford?", FOUND, {"elmford"})
    assert refusal.reason == "None of the articles mentions “Elmford”."
    assert refusal.suggestions == ("What does “Harbour of Gwadar” say?", "What does “Trains to Quetta” say?")


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("Who paid for the harbour?", "The nearest passages do not speak of “paid”."),
        ("Why was the railway closed?", "The nearest passages speak of this, but none of them states the answer."),
        ("Where do penguins live?", "Nothing in the articles comes near the question."),
        ("Who owns the harbours?", "The nearest passages do not speak of “owns”."),
    ],
)
def test_else_what_the_nearest_passages_lack_is_the_reason(question: str, reason: str) -> None:
    assert explain(question, FOUND, set()).reason == reason


def test_an_untitled_article_suggests_nothing() -> None:
    untitled = Article("n", "", "It rained.")
    assert explain("Why?", evidence((untitled, "It rained.")), set()).suggestions == ()


def test_words_about_the_articles_themselves_are_no_reason() -> None:
    refusal = explain("Do the articles name the harbour’s executive?", FOUND, {"articles", "executive"})
    assert refusal.reason == "None of the articles mentions “executive”."
