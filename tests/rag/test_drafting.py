"""What is asked of a model and of the judge for a draft, and what of the draft may be shown."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Sequence

import pytest

from index.errors import ModelError
from prompts import Message
from rag import decline, reader
from rag.cite import read_markers
from rag.drafting import Draft, Drafter, Drafting, Queued, TextAdded, finished
from rag.judge import Checked, Verdict
from rag.models.llm import Usage, Waiting
from rag.types import Support
from tests.rag.making import article, sentence

PORT = article("port", "It opened in 2007.", "It has cranes.")
TRAIN = article("train", "Trains are late.")
READ = (sentence(PORT, 0, 2.0, 1), sentence(PORT, 1, 1.0, 2), sentence(TRAIN, 0, 0.0, 3))
YES, PART, NO = Verdict(1, 0, 0), Verdict(0, 1, 0), Verdict(0, 0, 1)
REFUSAL = "None of the articles says who paid."


class Model:
    """Writes a text in two pieces, after a look; `none` is what the look tells."""

    def __init__(self, text: str, none: float = 0.0, *, is_trained: bool = True) -> None:
        self.text, self.none, self.is_trained = text, none, is_trained
        self.ahead: list[int] = []
        self.error: ModelError | None = None
        self.asked: list[tuple[int, bool, str]] = []
        self.prompts: list[list[Message]] = []
        self.stops: set[threading.Event | None] = set()
        self.open = 0

    def write(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        stop: threading.Event | None = None,
        *,
        likely: bool = False,
        aside: bool = False,
        without: str = "",
    ) -> Generator[str | Waiting, None, Usage]:
        self.asked.append((max_tokens, likely, without))
        self.prompts.append(list(messages))
        self.stops.add(stop)
        self.open += 1
        try:
            yield from map(Waiting, self.ahead)
            if self.error:
                raise self.error
            if likely:
                yield "word"
                return Usage(90, 40, 1, likely=({"None": self.none, "The": 1 - self.none},))
            yield self.text[:5]
            yield self.text[5:]
            return Usage(90, 89, 7)
        finally:
            self.open -= 1


class Judge:
    """Says yes to everything, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[Message], str, int, threading.Event | None]] = []

    def check(self, read: Sequence[Message], answer: str, sentences: int, stop: threading.Event | None) -> Checked:
        self.asked.append((list(read), answer, sentences, stop))
        return Checked((YES,) * sentences, YES)


def drafting(model: Model, judge: Judge | None = None, *, stop: threading.Event | None = None) -> Drafting:
    drafter = Drafter(model, judge or Judge())  # type: ignore[arg-type]
    return drafter.draft("When did it open?", READ, "2025-07-27", stop)


LOOK, ANSWER = (1, True, ""), (reader.TOKENS, False, "")


def test_it_is_looked_then_written_then_checked_after_the_same_prompt() -> None:
    model, judge, stop = Model("It opened in 2007 [1]. It has cranes [2]."), Judge(), threading.Event()
    draft = finished(drafting(model, judge, stop=stop))
    prompt = reader.prompt("When did it open?", READ, "2025-07-27", trained=True)
    assert model.prompts == [prompt, prompt]
    assert judge.asked == [(prompt, model.text, 2, stop)]
    assert model.stops == {stop}
    assert (draft.read, draft.text, draft.texts) == (READ, model.text, ("It opened in 2007.", "It has cranes."))
    assert draft.usage == Usage(90, 40, 7), "the prompt was read for the look, and but once"
    assert draft.decision == decline.Decision(False, 1.0)


def test_of_nothing_nothing_is_asked() -> None:
    model = Model("It opened [1].")
    draft = finished(Drafter(model, Judge()).draft("When?", (), "", None))  # type: ignore[arg-type]
    assert model.asked == []
    assert draft == Draft((), 1.0)
    assert draft.decision == decline.Decision(True, 0.0)


@pytest.mark.parametrize(("none", "without"), [(decline.NONE_FROM - 0.01, "None"), (decline.NONE_FROM, "")])
def test_only_what_is_probably_no_answer_may_say_so(none: float, without: str) -> None:
    model = Model(REFUSAL, none)
    finished(drafting(model))
    assert model.asked == [LOOK, (reader.TOKENS, False, without)]


@pytest.mark.parametrize(
    ("none", "confidence"), [(decline.NONE_FROM + 0.15, 1 - decline.NONE_FROM - 0.15), (0.0, 1 - decline.NONE_FROM)]
)
def test_a_written_refusal_is_as_sure_as_the_look_and_at_least_as_sure_as_its_threshold(
    none: float, confidence: float
) -> None:
    draft = finished(drafting(Model(REFUSAL, none)))
    assert draft.decision.declined
    assert draft.decision.confidence == pytest.approx(confidence)


def test_a_model_that_was_not_trained_is_not_looked_at_and_may_begin_as_it_likes() -> None:
    model = Model("It opened in 2007 [1].", none=1.0, is_trained=False)
    assert not finished(drafting(model)).decision.declined
    assert model.asked == [ANSWER]
    assert model.prompts == [reader.prompt("When did it open?", READ, "2025-07-27", trained=False)]


@pytest.mark.parametrize("text", [REFUSAL, f"{REFUSAL} It opened [1].", "", " [1] ", "…"])
def test_what_says_nothing_is_not_checked_and_is_no_answer(text: str) -> None:
    judge = Judge()
    draft = finished(drafting(Model(text), judge))
    assert judge.asked == []
    assert (draft.text, draft.sentences(), draft.decision) == (text, (), decline.Decision(True, 1 - decline.NONE_FROM))


def test_a_draft_is_told_as_it_is_written_and_the_look_is_no_text() -> None:
    model = Model("It opened in 2007 [1].")
    assert list(drafting(model)) == [TextAdded("It op"), TextAdded("ened in 2007 [1].")]


def test_who_waits_is_told_once_for_each_change() -> None:
    model = Model("It opened in 2007 [1].")
    model.ahead = [2, 2, 1, 0]
    told = [event.ahead for event in drafting(model) if isinstance(event, Queued)]
    assert told == [2, 1, 0] * 2, "for the look, and for the text"


def test_a_draft_that_is_closed_closes_the_model() -> None:
    model = Model("It opened in 2007 [1].")
    with contextlib.closing(drafting(model)) as draft:
        assert next(draft) == TextAdded("It op")
        assert model.open == 1
    assert model.open == 0


def test_a_model_that_fails_fails_the_draft() -> None:
    model = Model("It opened.")
    model.error = ModelError("on fire")
    with pytest.raises(ModelError, match="on fire"):
        finished(drafting(model))


# What may be shown of it


def made(text: str, *verdicts: Verdict, answer: Verdict = YES, none: float = 0.0) -> Draft:
    return Draft(READ, none, text, tuple(read_markers(text)), Checked(verdicts, answer))


def test_what_is_not_carried_or_cites_nothing_is_left_out_and_the_numbers_run_on() -> None:
    draft = made("Elephants sang [3]. It opened [1]. Rain fell. It has cranes [2][1].", NO, YES, YES, PART)
    shown = draft.sentences()
    assert [(s.text, s.support, s.probability) for s in shown] == [
        ("It opened.", Support.SUPPORTED, 1),
        ("It has cranes.", Support.PARTIAL, 0),
    ]
    assert [[(c.number, c.quote) for c in s.citations] for s in shown] == [
        [(1, "It opened in 2007.")],
        [(2, "It opened in 2007. It has cranes.")],
    ]
    assert draft.texts == ("Elephants sang.", "It opened.", "Rain fell.", "It has cranes.")


def test_what_is_said_to_be_missing_needs_no_citation_but_is_carried_or_left_out() -> None:
    missing = f"{reader.MISSING} who paid."
    assert [s.text for s in made(f"It opened [1]. {missing}", YES, YES).sentences()] == ["It opened.", missing]
    assert [s.text for s in made(f"It opened [1]. {missing}", YES, NO).sentences()] == ["It opened."]


@pytest.mark.parametrize(
    ("text", "verdict"), [("Elephants sang [1].", NO), ("It opened.", YES), (f"{reader.MISSING} who paid.", YES)]
)
def test_where_no_sentence_may_be_shown_it_is_declined_whatever_the_judge_says_of_the_whole(
    text: str, verdict: Verdict
) -> None:
    draft = made(text, verdict)
    assert draft.sentences() == ()
    assert draft.decision == decline.Decision(True, 0.5)


def test_what_does_not_answer_is_declined_however_well_it_is_carried() -> None:
    assert made("It opened [1].", YES, answer=NO).decision.declined
    assert made("It opened [1].", YES, answer=PART, none=0.5).decision == decline.Decision(False, 0.25)


def test_markers_that_point_at_nothing_that_was_read_are_counted() -> None:
    draft = made("It opened [1][77]. It has cranes [0, 2]. Rain fell [3].", YES, YES, YES)
    assert draft.invented == 2
    assert [[c.article for c in s.citations] for s in draft.sentences()] == [["port"], ["port"], ["train"]]
