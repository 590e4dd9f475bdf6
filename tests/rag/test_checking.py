from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest

from index.article import Article
from index.relevance import Score, Scores, bundled
from rag.types import EvidenceSentence, Support
from rag.checking import Checked, _echoes, _without_addition, check
from rag.nli import Entailment

HARBOUR = Article("harbour", "Harbour of Gwadar", "The harbour opened in 2007. Cranes came from China.")
RAIL = Article("rail", "Trains to Quetta", "The railway was closed for repairs.", source="Coast Weekly")
EVIDENCE = (
    EvidenceSentence(1, HARBOUR, 0, 0, 27, 1.0),
    EvidenceSentence(2, HARBOUR, 1, 28, len(HARBOUR.text), 0.9),
    EvidenceSentence(3, RAIL, 0, 0, len(RAIL.text), 0.8),
)
OPENED, CRANES, CLOSED = (sentence.text for sentence in EVIDENCE)


def told(**relevance: float) -> Score:
    """Scores by the first letters of what is said, after the title of an article if there is one; -11 for all else."""

    def score(question: str, texts: Sequence[str]) -> Scores:
        said = [text.partition(". ")[2] or text for text in texts]
        return np.array(
            [next((v for begin, v in relevance.items() if text.startswith(begin)), -11) for text in said],
            dtype=np.float32,
        )

    return score


def checked(
    text: str, question: str = "When?", score: Score | None = None, read: Sequence[EvidenceSentence] = EVIDENCE
) -> Checked:
    return check(text, question, EVIDENCE, read, score or told())


def shown(found: Checked) -> list[str]:
    return [sentence.text for sentence in found.sentences]


def test_every_sentence_is_cited_by_what_carries_it() -> None:
    found = checked(f"{OPENED} [1] {CRANES} [1]", score=told(Cranes=0.0))
    assert shown(found) == [OPENED, CRANES]
    assert [[citation.quote for citation in each.citations] for each in found.sentences] == [[OPENED], [CRANES]]
    assert {sentence.support for sentence in found.sentences} == {Support.SUPPORTED}
    assert (found.removed, found.invented_markers) == ((), 0)


def test_what_nothing_carries_is_taken_out() -> None:
    found = checked(f"Elephants danced on Jupiter. {OPENED} [1]")
    assert shown(found) == [OPENED]
    assert found.removed == ("Elephants danced on Jupiter.",)
    assert found.texts == ("Elephants danced on Jupiter.", OPENED)


def test_what_a_model_says_again_and_again_is_shown_once() -> None:
    found = checked(f"{OPENED} [1] {OPENED} [2] {OPENED} The harb")
    assert (shown(found), found.texts, found.removed) == ([OPENED], (OPENED, "The harb"), ("The harb",))


def test_the_numbers_of_citations_run_on_where_a_sentence_was_taken_out() -> None:
    found = checked(f"{OPENED} [1] {CLOSED} [3] {CRANES} [2]", score=told(Cranes=0.0))
    assert shown(found) == [OPENED, CRANES]
    assert [citation.number for each in found.sentences for citation in each.citations] == [1, 2]


def test_a_marker_can_only_point_at_what_was_read() -> None:
    found = checked(f"{CRANES} [2][9]", read=EVIDENCE[:1])
    assert found.invented_markers == 2
    assert [citation.quote for citation in found.sentences[0].citations] == [CRANES], "what carries it is cited"


@pytest.mark.parametrize("second", [CLOSED, CRANES])
@pytest.mark.parametrize(("relevance", "stays"), [(-10.9, False), (-6.5, False), (-5.5, True), (8.0, True)])
def test_what_is_beside_the_question_is_taken_out(second: str, relevance: float, stays: bool) -> None:
    found = checked(f"{OPENED} [1] {second} [2][3]", score=told(The=relevance, Cranes=relevance))
    assert shown(found) == ([OPENED, second] if stays else [OPENED])
    assert found.removed == (() if stays else (second,))


@pytest.mark.parametrize(("relevance", "stays"), [(-3.0, False), (-2.1, False), (-1.9, True), (4.0, True)])
def test_an_article_is_repeated_only_where_that_answers_nearly_as_well(relevance: float, stays: bool) -> None:
    score = told(**{"The harbour": 2.0, "Cranes": relevance, "The railway": -3.0})
    assert shown(checked(f"{OPENED} {CRANES}", score=score)) == ([OPENED, CRANES] if stays else [OPENED])
    assert shown(checked(f"{OPENED} {CLOSED}", score=score)) == [OPENED, CLOSED], "may be the other side"


def test_what_is_quoted_tells_that_a_bare_sentence_belongs_to_the_answer() -> None:
    harbour = Article("h", "", "It was hot. Then the harbour opened with cranes from China.")
    held = (EvidenceSentence(1, harbour, 0, 0, 11, 1.0), EvidenceSentence(2, harbour, 1, 12, len(harbour.text), 1.0))
    for quoted, stays in ((2.0, True), (-2.0, False)):
        found = check("It was hot. Cranes came.", "When?", held, held, told(It=3.0, Then=quoted, Cranes=-9.0))
        assert (len(found.sentences) == 2) is stays


def test_the_first_sentence_stays_where_a_later_one_answers_better() -> None:
    score = told(**{"The harbour": -8.0, "Cranes": 8.0})
    assert shown(checked(f"{OPENED} {CRANES}", score=score)) == [OPENED, CRANES]


@pytest.mark.parametrize(("relevance", "stays"), [(2.0, False), (5.9, False), (6.1, True)])
def test_what_follows_does_not_stand_for_an_answer_that_nothing_carries(relevance: float, stays: bool) -> None:
    score = told(**{"Elephants": 10.0, "The harbour": relevance})
    found = checked(f"Elephants danced on Jupiter. {OPENED} [1]", score=score)
    assert shown(found) == ([OPENED] if stays else [])


def test_a_sentence_that_was_cut_off_is_taken_out() -> None:
    score = told(**{"The": 9.0, "Cranes": 9.0, "“": 9.0})
    found = checked(f"{OPENED} [1] Cranes came from", score=score)
    assert shown(found) == [OPENED]
    assert found.removed == ("Cranes came from",)
    assert shown(checked("Cranes came from China", score=score)) == ["Cranes came from China"], "all there is"
    listed = f"- {OPENED.rstrip('.')}\n- {CRANES.rstrip('.')}"
    assert len(shown(checked(listed, score=score))) == 2, "a list without full stops"
    assert shown(checked(f"{OPENED} “{CRANES}”", score=score)) == [OPENED, f"“{CRANES}”"]


def test_an_opener_without_a_fact_costs_no_other_side() -> None:
    score = told(**{"Reports": 6.0, "The harbour": 9.0, "The railway": 3.0, "Cranes": 4.0})
    assert shown(checked(f"Reports differ sharply. {OPENED} {CLOSED} {CRANES}", score=score)) == [OPENED, CLOSED]


def test_what_is_taken_out_is_no_measure_of_what_stays() -> None:
    score = told(**{"The harbour": 3.0, "Cranes": 0.0, "Elephants": 9.0})
    assert shown(checked(f"{OPENED} {CRANES} Elephants danced on Jupiter.", score=score)) == [OPENED, CRANES]


@pytest.mark.parametrize(("relevance", "stays"), [(-11.0, False), (-4.1, False), (-3.9, True)])
def test_what_is_carried_in_part_by_what_is_beside_the_question_is_made_up(relevance: float, stays: bool) -> None:
    score = told(**{"The Gwadar": 9.0, "Cranes": relevance})
    said = "The Gwadar cranes came from Spain and China."
    found = check(said, "Where did the Gwadar cranes come from?", EVIDENCE, EVIDENCE, score)
    assert shown(found) == ([said] if stays else [])
    assert all(sentence.support is Support.PARTIAL for sentence in found.sentences)
    assert shown(check(said, "Where did the Gwadar cranes come from?", EVIDENCE, EVIDENCE)) == [said]


def test_what_speaks_of_nothing_that_is_asked_is_no_answer() -> None:
    assert shown(checked(CLOSED, "Who sings?")) == []
    assert shown(checked(CLOSED, "What is said of trains?")) == [CLOSED]


def test_nothing_written_shows_nothing() -> None:
    assert checked("") == Checked((), (), (), 0)


def test_a_lost_hedge_is_given_back_after_the_words_were_judged() -> None:
    article = Article("raid", "A raid", "Four men were reportedly arrested in the harbour.", source="Coast Weekly")
    evidence = (EvidenceSentence(1, article, 0, 0, len(article.text), 1.0),)
    (sentence,) = check("Four men were arrested in the harbour [1].", "Who?", evidence, evidence, told()).sentences
    assert "report" in sentence.text.lower()
    assert sentence.support is Support.SUPPORTED


def test_a_named_model_of_inference_judges_support() -> None:
    class Doubter:
        def probabilities(self, claim: str, texts: Sequence[str]) -> list[float]:
            return [0.2 for _ in texts]

    (sentence,) = check(OPENED, "When?", EVIDENCE, EVIDENCE, told(The=0.0), cast(Entailment, Doubter())).sentences
    assert (sentence.support, sentence.probability) == (Support.PARTIAL, 0.2)


def test_with_the_real_model_the_other_side_stays_and_another_matter_goes() -> None:
    score = bundled().scores
    assert checked(f"{OPENED} {CLOSED}", "When did the harbour of Gwadar open?", score).removed == (CLOSED,)
    assert checked(f"{OPENED} {CLOSED}", "What happened to the harbour and to the railway?", score).removed == ()
    said = ("The repairs cost 14 million euros, the port authority said.", "The bill came to 17 million euros.")
    articles = (Article("a", "Harbour bridge reopens", said[0]), Article("b", "Counting the cost of a bridge", said[1]))
    evidence = [EvidenceSentence(n, a, 0, 0, len(a.text), 1.0) for n, a in enumerate(articles, start=1)]
    question = "How much did the repair of the harbour bridge cost?"
    assert shown(check(" ".join(said), question, evidence, evidence, score)) == list(said)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("When was the railway closed for repairs?", "The railway was closed for repairs."),
        ("Which cranes came from China?", "Cranes came."),
    ],
)
def test_the_question_said_again_is_no_answer(question: str, sentence: str) -> None:
    found = checked(f"{sentence} [2][3]", question)
    assert (shown(found), found.removed) == ([], (sentence,))
    both = checked(f"{sentence} [2][3] {OPENED} [1]", question, told(The=0.0))
    assert shown(both) == [OPENED], "the next one is then the first"


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("Was the railway closed for repairs?", CLOSED),  # yes
        ("Which was closed for repairs, the railway or the harbour?", CLOSED),
        ("Which of the two opened in 2007, harbour or railway?", "The harbour opened in 2007."),
        ("Why was the railway closed?", CLOSED),  # for repairs
    ],
)
def test_an_answer_in_the_words_of_the_question_stays(question: str, sentence: str) -> None:
    assert shown(checked(f"{sentence} [1][3]", question)) == [sentence]


def test_a_denial_in_the_words_of_the_question_stays() -> None:
    text = "The railway of Quetta was never closed for repairs."
    held = [EvidenceSentence(1, Article("rail", "Trains", text), 0, 0, len(text), 1.0)]
    assert shown(check(f"{text} [1]", "When was the railway of Quetta closed for repairs?", held, held)) == [text]


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("The harbour is that of Gwadar, Far Western Balochistan.", "The harbour is that of Gwadar."),
        ("Cranes came from China, Gwadar.", "Cranes came from China, Gwadar."),  # a title speaks of it
        ("They came from China, Coast Weekly.", "They came from China, Coast Weekly."),  # a source
        ("They came from Norway, China, Greece.", "They came from Norway, China, Greece."),  # a list
        ("After China, Arsenal, top of all, won.", "After China, Arsenal, top of all, won."),
        ("It opened in 2007, it is said.", "It opened in 2007, it is said."),
        ("They came from China, US.", "They came from China, US."),  # no word that could be looked for
    ],
)
def test_a_name_added_from_memory_is_cut(written: str, left: str) -> None:
    assert _without_addition(written, "Where?", EVIDENCE) == left


def test_a_sentence_that_was_cut_is_kept_as_it_was_written() -> None:
    written = "Cranes came from China, Denmark."
    found = checked(f"{written} [2]")
    assert (shown(found), found.removed, found.texts) == (["Cranes came from China."], (written,), (written,))


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("Did the WHO declare an emergency?", "The WHO declared an emergency."),
        ("How much of the money was repaid?", "All of the money was repaid."),
        ("How many of the hostages were freed?", "Most of the hostages were freed."),
        ("Which of Google, Apple and Microsoft was fined?", "Apple was fined."),
        ("Who won, Spain vs England?", "Spain won."),
        ("Was the railway closed when it rained?", "The railway was closed when it rained."),
        ("How often was the railway closed?", "The railway was closed once."),
        ("When was the bridge closed in relation to the fire?", "The bridge was closed before the fire."),
    ],
)
def test_small_words_answer_too(question: str, sentence: str) -> None:
    assert not _echoes(question, sentence)


def test_what_is_asked_for_is_missing_in_an_echo() -> None:
    assert _echoes("Who freed the hostages?", "The hostages were freed.")
    assert _echoes("After the fire, when was the bridge closed?", "The bridge was closed after the fire.")
