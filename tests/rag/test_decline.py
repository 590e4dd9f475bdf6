from __future__ import annotations

import pytest

from rag.decline import ANSWERED_FROM, DECLINED_TEXT, decide, explain
from rag.judge import Checked, Verdict
from tests.rag.making import article, sentence


def verdict(yes: float, part: float = 0.0) -> Checked:
    """The judge's on a whole answer; what it says of its sentences decides nothing here."""
    return Checked((Verdict(0, 0, 1),), Verdict(yes, part, 1 - yes - part))


@pytest.mark.parametrize(
    ("none", "yes", "part", "declined"),
    [
        (0.0, 1.0, 0.0, False),
        (0.0, ANSWERED_FROM, 0.0, False),
        (0.0, 0.0, ANSWERED_FROM, False),
        (0.0, ANSWERED_FROM / 2, ANSWERED_FROM / 2, False),
        (0.0, ANSWERED_FROM - 0.01, 0.0, True),
        (0.0, ANSWERED_FROM / 2, ANSWERED_FROM / 2 - 0.01, True),
    ],
)
def test_what_is_probably_no_answer_is_declined_from_the_thresholds(
    none: float, yes: float, part: float, declined: bool
) -> None:
    assert decide(none, verdict(yes, part)).declined is declined


def test_what_was_not_checked_is_declined() -> None:
    assert decide(0.0, None).declined


@pytest.mark.parametrize(
    ("none", "yes", "part", "confidence"),
    [(0.0, 1.0, 0.0, 1.0), (0.0, 0.5, 0.5, 0.75), (0.2, 0.5, 0.25, 0.5), (1.0, 1.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)],
)
def test_confidence_is_that_there_is_an_answer_and_this_is_it_a_part_counting_half(
    none: float, yes: float, part: float, confidence: float
) -> None:
    assert decide(none, verdict(yes, part)).confidence == pytest.approx(confidence)


@pytest.mark.parametrize(("none", "confidence"), [(0.0, 0.5), (0.5, 0.5), (0.8, 0.2), (1.0, 0.0)])
def test_nobody_is_sure_of_an_answer_that_was_not_written(none: float, confidence: float) -> None:
    assert decide(none, None).confidence == pytest.approx(confidence)


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
