from __future__ import annotations

import pytest

from rag.decline import DECLINED_TEXT, decide, explain
from tests.rag.making import article, sentence


@pytest.mark.parametrize("none", [0.0, 0.5, 1.0])
def test_it_is_an_answer_where_any_sentence_may_be_shown_however_likely_there_is_none(none: float) -> None:
    assert not decide(none, shown=True).declined
    assert decide(none, shown=False).declined


@pytest.mark.parametrize(("none", "confidence"), [(0.0, 1.0), (0.2, 0.8), (1.0, 0.0)])
def test_an_answer_is_as_sure_as_that_there_is_one(none: float, confidence: float) -> None:
    assert decide(none, shown=True).confidence == pytest.approx(confidence)


@pytest.mark.parametrize(("none", "confidence"), [(0.0, 0.5), (0.5, 0.5), (0.8, 0.2), (1.0, 0.0)])
def test_nobody_is_sure_of_an_answer_that_is_not_shown(none: float, confidence: float) -> None:
    assert decide(none, shown=False).confidence == pytest.approx(confidence)


PORT = sentence(article("port", "It opened.", title="The port"), 0)
AGAIN = sentence(article("port", "It opened.", "It closed.", title="The port"), 1)
TRAINS = sentence(article("trains", "They left.", title="Trains"), 0)
BUSES = sentence(article("buses", "They left.", title="Buses"), 0)
UNTITLED = sentence(article("x", "They left.", title=""), 0)


def test_the_reason_is_what_the_reader_says_is_missing() -> None:
    said = "None of the articles says what Mr. Holm paid. They say that it opened [1]."
    assert explain(said, [PORT]).reason == "None of the articles says what Mr. Holm paid."


@pytest.mark.parametrize("text", ["", "Elephants danced [1]."])
def test_what_was_written_beside_the_question_is_no_reason(text: str) -> None:
    assert explain(text, [PORT]).reason == DECLINED_TEXT


def test_the_two_best_articles_are_pointed_at_each_once() -> None:
    assert explain("", [UNTITLED, PORT, AGAIN, TRAINS, BUSES]).suggestions == (
        "Summarise the article “The port”.",
        "Summarise the article “Trains”.",
    )
    assert explain("", []).suggestions == ()
