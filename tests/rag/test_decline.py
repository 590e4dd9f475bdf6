from __future__ import annotations

import pytest

from rag.decline import CARRIED_FROM, DECLINED_TEXT, NONE_FROM, decide, explain
from tests.rag.making import article, sentence


@pytest.mark.parametrize(
    ("none", "carried", "shown", "declined"),
    [
        (0.0, 1.0, True, False),
        (NONE_FROM - 0.01, CARRIED_FROM, True, False),
        (NONE_FROM, 1.0, True, True),
        (0.0, CARRIED_FROM - 0.01, True, True),
        (0.0, 1.0, False, True),
    ],
)
def test_it_is_declined_where_there_is_nothing_or_nothing_is_carried_or_shown(
    none: float, carried: float, shown: bool, declined: bool
) -> None:
    assert decide(none, carried, shown, trained=True).declined == declined


def test_another_model_s_probabilities_are_not_asked_for_so_much() -> None:
    assert not decide(0.0, 0.0, True, trained=False).declined
    assert decide(0.0, 0.0, False, trained=False).declined


@pytest.mark.parametrize(("none", "carried"), [(0.0, 1.0), (0.2, 0.8), (0.9, 0.4)])
def test_an_answer_is_as_sure_as_that_there_is_one_and_it_is_carried(none: float, carried: float) -> None:
    assert decide(none, carried, True, trained=True).confidence == pytest.approx((1 - none) * carried)


@pytest.mark.parametrize(("none", "carried", "confidence"), [(0.0, 1.0, 0.5), (0.0, 0.4, 0.4), (0.8, 1.0, 0.2)])
def test_nobody_is_sure_of_an_answer_that_is_not_shown(none: float, carried: float, confidence: float) -> None:
    assert decide(none, carried, False, trained=True).confidence == pytest.approx(confidence)


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
