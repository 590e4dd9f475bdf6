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
from rag.drafting import Asked, Draft, Drafter, Drafting, Queued, ReadOn, TextAdded, finished, quoted
from rag.judge import Verdict
from rag.models.llm import Usage, Waiting
from rag.types import EvidenceSentence, Support
from tests.rag.making import article, sentence

PORT = article("port", "It opened in 2007.", "It has cranes.")
TRAIN = article("train", "Trains are late.")
READ = (sentence(PORT, 0, 2.0, 1), sentence(PORT, 1, 1.0, 2), sentence(TRAIN, 0, 0.0, 3))
YES, PART, NO = Verdict(1, 0, 0), Verdict(0, 1, 0), Verdict(0, 0, 1)
REFUSAL = "None of the articles says who paid."


class Model:
    """Writes a text in two pieces, after a look; `none` is what the look tells, or each of two."""

    def __init__(self, text: str, none: float | Sequence[float] = 0.0, *, is_trained: bool = True) -> None:
        self.text, self.is_trained = text, is_trained
        self.none = [none] if isinstance(none, float) else list(none)  # at each look
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
                none = self.none.pop(0)
                return Usage(90, 40, 1, likely=({"None": none, "The": 1 - none},))
            yield self.text[:5]
            yield self.text[5:]
            return Usage(90, 89, 7)
        finally:
            self.open -= 1


class Judge:
    """Says the same of everything, and keeps what it was asked."""

    def __init__(self, verdict: Verdict = YES) -> None:
        self.verdict = verdict
        self.asked: list[tuple[str, str, list[tuple[str, int]], str, threading.Event | None]] = []

    def carried(
        self,
        question: str,
        sentence: str,
        cited: Sequence[EvidenceSentence],
        asked: str = "",
        stop: threading.Event | None = None,
    ) -> Verdict:
        self.asked.append((question, sentence, [(e.article.id, e.sentence) for e in cited], asked, stop))
        return self.verdict


def drafting(
    model: Model,
    judge: Judge | None = None,
    *,
    stop: threading.Event | None = None,
    more: tuple[EvidenceSentence, ...] = (),
) -> Drafting:
    drafter = Drafter(model, judge or Judge())  # type: ignore[arg-type]
    return drafter.draft(Asked("When did it open?", "2025-07-27", stop), READ, lambda: more)


LOOK, ANSWER = (1, True, ""), (reader.TOKENS, False, "")


def test_it_is_looked_then_written_to_the_same_prompt_then_each_sentence_is_judged() -> None:
    model, judge, stop = Model("It opened in 2007 [1]. It has cranes [2]."), Judge(), threading.Event()
    draft = finished(drafting(model, judge, stop=stop))
    prompt = reader.prompt("When did it open?", READ, "2025-07-27", trained=True)
    assert model.prompts == [prompt, prompt]
    assert judge.asked == [
        ("When did it open?", "It opened in 2007.", [("port", 0)], "2025-07-27", stop),
        ("When did it open?", "It has cranes.", [("port", 0), ("port", 1)], "2025-07-27", stop),
    ], "each sentence, from what it cites with the sentence before it"
    assert model.stops == {stop}
    assert (draft.read, draft.text, draft.texts) == (READ, model.text, ("It opened in 2007.", "It has cranes."))
    assert draft.usage == Usage(90, 40, 7), "the prompt was read for the look, and but once"
    assert draft.decision == decline.Decision(False, 1.0)


def test_of_nothing_nothing_is_asked() -> None:
    model = Model("It opened [1].")
    draft = finished(Drafter(model, Judge()).draft(Asked("When?"), ()))  # type: ignore[arg-type]
    assert model.asked == []
    assert draft == Draft((), 1.0)
    assert draft.decision == decline.Decision(True, 0.0)


@pytest.mark.parametrize(("none", "without"), [(decline.NONE_FROM - 0.01, "None"), (decline.NONE_FROM, "")])
def test_only_what_is_probably_no_answer_may_say_so(none: float, without: str) -> None:
    model = Model(REFUSAL, none)
    draft = finished(drafting(model))
    assert draft.text == REFUSAL
    assert model.asked == [LOOK, (reader.TOKENS, False, without)]


MORE = (sentence(article("paper", "It opened in 2008."), 0, 0.0, 4),)
UNSURE = Verdict(decline.CARRIED_FROM - 0.01, 1.01 - decline.CARRIED_FROM, 0.0)


def test_where_there_is_probably_nothing_in_the_first_it_is_read_on_in_the_same_conversation() -> None:
    model = Model("It opened in 2008 [4].", (decline.NONE_FROM, 0.25))
    events = drafting(model, more=MORE)
    assert next(events) == ReadOn((*READ, *MORE)), "nothing was written yet"
    draft = finished(events)
    first = reader.prompt("When did it open?", READ, "2025-07-27", trained=True)
    then = reader.read_on(first, "When did it open?", MORE, "2025-07-27")
    assert model.prompts == [first, then, then]
    assert then[:-2] == first
    assert "[4] It opened in 2008." in then[-1].content
    assert draft.read == (*READ, *MORE)
    assert draft.none == 0.25
    assert [c.article for s in draft.sentences() for c in s.citations] == ["paper"]


def test_where_the_judge_is_not_convinced_of_the_first_text_it_does_not_count() -> None:
    model, judge = Model("It opened in 2007 [1].", (0.0, 0.0)), Judge(UNSURE)
    events = list(drafting(model, judge, more=MORE))
    pieces = [TextAdded("It op"), TextAdded("ened in 2007 [1].")]
    assert events == [*pieces, ReadOn((*READ, *MORE)), *pieces]


def test_what_is_read_on_in_vain_ends_in_the_reader_s_own_refusal() -> None:
    model = Model(REFUSAL, (1.0, 1.0))
    draft = finished(drafting(model, more=MORE))
    assert (draft.text, draft.decision) == (REFUSAL, decline.Decision(True, 0.0))
    assert model.asked == [LOOK, LOOK, ANSWER]


def test_a_judge_may_be_asked_by_another_question() -> None:
    judge = Judge()
    drafter = Drafter(Model("It opened in 2007 [1]."), judge)  # type: ignore[arg-type]
    finished(drafter.draft(Asked("Sum it up.", judged="What is said?"), READ))
    assert [question for question, *_ in judge.asked] == ["What is said?"]


ALONE = ((sentence(PORT, 0, 2.0, 1),), (sentence(PORT, 1, 1.0, 1),), (sentence(TRAIN, 0, 0.0, 1),))


def compared(model: Model) -> Drafting:
    return Drafter(model, Judge()).compared(Asked("How do they differ?"), READ, ALONE)  # type: ignore[arg-type]


def test_what_is_compared_is_written_from_all_articles_at_once_where_that_is_an_answer() -> None:
    model = Model("It opened in 2007 [1]. Trains are late [3].", 0.0)
    draft = finished(compared(model))
    assert draft.read == READ
    assert len(model.asked) == 2


@pytest.mark.parametrize("first", [1.0, 0.0], ids=["no answer", "an answer from one article"])
def test_where_that_rests_on_no_two_each_is_asked_alone_and_the_numbers_run_on(first: float) -> None:
    model = Model("It is so [1].", (first, 0.0, 1.0, 0.25))
    events = compared(model)
    assert next(e for e in events if not isinstance(e, TextAdded)) == ReadOn(ALONE[0])
    draft = finished(events)
    assert [(e.number, e.text) for e in draft.read] == [(1, "It opened in 2007."), (2, "Trains are late.")]
    assert [(each.text, each.numbers) for each in draft.marked] == [("It is so.", (1,)), ("It is so.", (2,))]
    assert [[c.article for c in s.citations] for s in draft.sentences()] == [["port"], ["train"]]
    assert draft.none == 0.0


def test_where_only_one_article_says_something_the_first_answer_stays() -> None:
    model = Model("It is so [1].", (0.0, 0.0, 1.0, 1.0))
    assert finished(compared(model)).read == READ


def test_where_no_article_says_anything_the_refusal_stays() -> None:
    model = Model(REFUSAL, (1.0, 1.0, 1.0, 1.0))
    draft = finished(compared(model))
    assert (draft.text, draft.read, draft.decision.declined) == (REFUSAL, READ, True)


def test_what_is_quoted_is_every_article_s_beginning_and_carries_itself() -> None:
    draft = quoted(READ, 1)
    assert [(s.text, s.support, [c.quote for c in s.citations]) for s in draft.sentences()] == [
        ("It opened in 2007.", Support.SUPPORTED, ["It opened in 2007."]),
        ("Trains are late.", Support.SUPPORTED, ["Trains are late."]),
    ]
    assert len(quoted(READ, 2).sentences()) == 3


def test_more_is_not_looked_for_where_it_is_not_read() -> None:
    def further() -> tuple[EvidenceSentence, ...]:
        raise AssertionError("it was looked for")

    drafter = Drafter(Model("It opened in 2007 [1]."), Judge())  # type: ignore[arg-type]
    assert finished(drafter.draft(Asked("When?"), READ, further)).read == READ


@pytest.mark.parametrize("more", [MORE, ()])
@pytest.mark.parametrize("trained", [True, False])
def test_it_is_not_read_on_where_the_answer_is_there(more: tuple[EvidenceSentence, ...], trained: bool) -> None:
    model = Model("It opened in 2007 [1].", 0.5, is_trained=trained)
    assert finished(drafting(model, more=more)).read == READ


def test_what_is_hardly_carried_is_no_answer_unless_another_model_wrote_it() -> None:
    draft = finished(drafting(Model("It opened in 2007 [1].", 0.25), Judge(UNSURE)))
    assert draft.decision == decline.Decision(True, pytest.approx(0.75 * UNSURE.yes))
    other = finished(drafting(Model("It opened in 2007 [1].", is_trained=False), Judge(UNSURE)))
    assert not other.decision.declined


@pytest.mark.parametrize("none", [decline.NONE_FROM, 0.0])
def test_a_written_refusal_is_no_answer_whatever_the_look_told(none: float) -> None:
    draft = finished(drafting(Model(REFUSAL, none)))
    assert draft.decision == decline.Decision(True, 0.0)


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
    assert (draft.text, draft.sentences(), draft.decision) == (text, (), decline.Decision(True, 0.0))


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


# What the judge is asked, and what is made of its verdict


def verdicts(text: str, judge: Judge) -> tuple[Verdict, ...]:
    return finished(drafting(Model(text), judge)).verdicts


def test_of_two_articles_only_what_is_cited_is_judged_and_the_sentence_before_in_the_same_article() -> None:
    judge = Judge()
    verdicts("It has cranes [2][3].", judge)
    verdicts("Trains are late [3].", judge)
    assert [cited for _, _, cited, *_ in judge.asked] == [[("port", 0), ("port", 1), ("train", 0)], [("train", 0)]]


@pytest.mark.parametrize("text", ["It opened in 2007.", "It opened in 2007 [77]."])
def test_what_cites_nothing_that_was_read_is_not_carried_and_not_asked(text: str) -> None:
    judge = Judge()
    assert verdicts(text, judge) == (NO,)
    assert judge.asked == []


@pytest.mark.parametrize("marker", ["", " [1]"])
def test_what_is_said_to_be_missing_is_not_asked_and_may_be_shown(marker: str) -> None:
    judge = Judge(NO)
    assert verdicts(f"{reader.MISSING} who paid{marker}.", judge) == (YES,)
    assert judge.asked == []


FULL, HALF = Support.SUPPORTED, Support.PARTIAL


@pytest.mark.parametrize(
    ("text", "support"),
    [
        ("It opened in 2007 [1].", FULL),
        ("It opened in 2008 [1].", HALF),
        ("It has cranes from Karachi [2].", HALF),
        ("It was said by Gull on Monday [1].", FULL),  # the article's author, and a word of the question
        ("The Gazette wrote of “Harbours” on 3 May 2024 [1].", FULL),
        ("The Gazette wrote so on 9 May 2024 [1].", HALF),
        ("Trains are late at the Gazette [3].", HALF),  # the source of an article that it does not cite
        ("It has cranes of 2007 [2].", FULL),  # in the sentence before
        ("It opened in 2007 [2], as trains did [3].", FULL),
    ],
)
def test_what_names_something_that_stands_nowhere_is_carried_in_part_at_most(text: str, support: Support) -> None:
    port = article(
        "port",
        "It opened in 2007.",
        "It has cranes.",
        title="Harbours",
        source="Gazette",
        author="Gull",
        published="2024-05-03",
    )
    read = (sentence(port, 0, 2.0, 1), sentence(port, 1, 1.0, 2), sentence(TRAIN, 0, 0.0, 3))
    drafter = Drafter(Model(text), Judge())  # type: ignore[arg-type]
    draft = finished(drafter.draft(Asked("What was said on Monday?"), read))
    assert [(s.support, s.probability) for s in draft.sentences()] == [(support, 1.0)]
    drafter = Drafter(Model(text), Judge(NO))  # type: ignore[arg-type]
    assert finished(drafter.draft(Asked("What was said on Monday?"), read)).sentences() == ()


def test_a_judge_that_fails_fails_the_draft() -> None:
    class Broken(Judge):
        def carried(self, *_: object) -> Verdict:
            raise ModelError("on fire")

    with pytest.raises(ModelError, match="on fire"):
        finished(drafting(Model("It opened in 2007 [1]."), Broken()))


def test_what_is_cited_is_read_with_the_sentence_before_it() -> None:
    places = [[e.sentence for e in reader.cited(numbers, READ)] for numbers in ((), (2,), (3, 77), (1, 2))]
    assert places == [[], [0, 1], [0], [0, 1]]


# What may be shown of it


def made(text: str, *verdicts: Verdict, none: float = 0.0) -> Draft:
    return Draft(READ, none, text, tuple(read_markers(text)), verdicts, tuple(False for _ in verdicts))


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
def test_where_no_sentence_may_be_shown_it_is_declined(text: str, verdict: Verdict) -> None:
    draft = made(text, verdict)
    assert draft.sentences() == ()
    assert draft.decision == decline.Decision(True, 0.0)


def test_an_answer_is_as_sure_as_that_there_is_one_and_its_best_sentence_is_carried() -> None:
    best = Verdict(0.8, 0.1, 0.1)
    draft = made("It opened [1]. It has cranes [2]. Elephants sang [3].", PART, best, NO, none=0.75)
    assert draft.decision == decline.Decision(False, pytest.approx(0.25 * 0.8))


def test_what_is_missing_makes_no_answer_surer() -> None:
    unsure = Verdict(0.1, 0.9, 0.0)
    assert made(f"It opened [1]. {reader.MISSING} who paid.", unsure, YES).decision.declined


def test_markers_that_point_at_nothing_that_was_read_are_counted() -> None:
    draft = made("It opened [1][77]. It has cranes [0, 2]. Rain fell [3].", YES, YES, YES)
    assert draft.invented == 2
    assert [[c.article for c in s.citations] for s in draft.sentences()] == [["port"], ["port"], ["train"]]
