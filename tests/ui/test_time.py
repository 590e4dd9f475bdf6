"""That an answer of another time is told as one, wherever it is shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from index.times import TimeHint
from rag.assistant import Answered
from rag.types import Answer
from tests.ui.fake_assistant import FakeAssistant
from ui.render import answer_html
from ui.terminal import Form, present

OLDER = "What is quoted came out before that: March 2024 at the latest."


def answer(first: date, last: date) -> Answer:
    *_, found = FakeAssistant(pace=0).stream("What did the council decide about the old harbour?")
    assert isinstance(found, Answered)
    return replace(found.answer, when=TimeHint("this week", first, last), asked=last.isoformat())


@pytest.mark.parametrize(
    ("first", "last", "told"), [((2024, 5, 20), (2024, 5, 26), True), ((2024, 3, 4), (2024, 3, 10), False)]
)
def test_quotations_from_before_the_days_that_are_meant_are_told(
    first: tuple[int, int, int], last: tuple[int, int, int], told: bool
) -> None:
    made = answer(date(*first), date(*last))
    assert bool(made.outdated) is told
    page = answer_html(made)
    assert ('class="when outdated"' in page, OLDER in page) == (told, told)
    assert 'class="when' in page
    printed = present(made, Form.TEXT)
    assert ("this week" in printed, OLDER in printed) == (True, told)
