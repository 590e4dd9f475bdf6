from __future__ import annotations

import pytest

from rag.decline import decide, says_so


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
    ("written", "bare", "declined"),
    [
        ("It opened in 2007.", [False], False),
        ("It opened in 2007. It burned.", [False, True], False),
        ("It burned.", [True], True),
        ("It burned. It sank.", [True, True], True),
        ("The articles do not say.", [True], True),
        ("The articles do not say.", [False], True),
        ("", [], True),
    ],
)
def test_the_decision_follows_what_was_written_and_what_it_rests_on(
    written: str, bare: list[bool], declined: bool
) -> None:
    decision = decide(written, bare, 0.7)
    assert decision.declined is declined
    assert 0 <= decision.confidence <= 1
    if declined:
        assert decision.confidence <= 0.3


def test_confidence_rises_with_the_nearness_of_the_articles() -> None:
    confidences = [decide("It opened.", [False], cosine).confidence for cosine in (-1.0, 0.0, 0.3, 0.5, 0.8, 1.0)]
    assert confidences == sorted(confidences)
    assert 0 < confidences[0] < 0.01
    assert 0.9 < confidences[-1] < 1


def test_what_no_article_comes_near_is_declined_whatever_was_written() -> None:
    assert decide("It opened in 2007.", [False], 0.1).declined
    assert not decide("It opened in 2007.", [False], 0.5).declined
