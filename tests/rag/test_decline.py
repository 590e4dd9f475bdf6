from __future__ import annotations

import pytest

from rag.answer import Support
from rag.decline import decide, says_so

YES, PART, NO = Support.SUPPORTED, Support.PARTIAL, Support.UNSUPPORTED


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
    ("written", "supports", "declined"),
    [
        ("It opened in 2007.", [YES], False),
        ("It opened in 2007.", [PART], False),
        ("It opened in 2007. It burned.", [YES, NO], False),
        ("It burned.", [NO], True),
        ("It burned. It sank.", [NO, NO], True),
        ("The articles do not say.", [NO], True),
        ("The articles do not say.", [YES], True),
        ("", [], True),
    ],
)
def test_the_decision_follows_what_was_written_and_what_holds_it(
    written: str, supports: list[Support], declined: bool
) -> None:
    decision = decide(written, supports, 0.7)
    assert decision.declined is declined
    assert 0 <= decision.confidence <= 1
    if declined:
        assert decision.confidence <= 0.3


def test_confidence_rises_with_the_nearness_of_the_articles() -> None:
    confidences = [decide("It opened.", [YES], cosine).confidence for cosine in (-1.0, 0.0, 0.3, 0.5, 0.8, 1.0)]
    assert confidences == sorted(confidences)
    assert 0 < confidences[0] < 0.01
    assert 0.9 < confidences[-1] < 1


def test_what_no_article_comes_near_is_declined_whatever_was_written() -> None:
    assert decide("It opened in 2007.", [YES], 0.1).declined
    assert not decide("It opened in 2007.", [YES], 0.5).declined
