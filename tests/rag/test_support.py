from __future__ import annotations

import pytest

from index.article import Article
from rag.answer import EvidenceSentence, Support
from rag.support import check, coverage, invents, supporting


def evidence(*texts: str) -> list[EvidenceSentence]:
    article = Article("a", "T", "\n".join(texts))
    starts = [article.text.index(text) for text in texts]
    return [
        EvidenceSentence(n, article, n - 1, start, start + len(text), 0.5)
        for n, (start, text) in enumerate(zip(starts, texts, strict=True), start=1)
    ]


@pytest.mark.parametrize(
    ("sentence", "given", "held", "share"),
    [
        ("The port opened.", "", ["A port was opened there."], 1.0),
        ("The port opened.", "", ["A port is planned."], 0.5),
        ("The port opened.", "", ["Wheat grew."], 0.0),
        ("The port opened.", "", [], 0.0),
        ("The port opened.", "Which port?", ["It opened."], 1.0),  # what the question says needs no evidence
        ("The port opened.", "Which port?", ["A port is planned."], 0.0),
        ("The port.", "Which port?", ["A port is planned."], 1.0),  # all of it was given: then all is looked for
        ("The port.", "Which port?", ["Wheat grew."], 0.0),
        ("It was so.", "", ["Wheat grew."], 1.0),  # nothing to show
        ("Türkiye agreed.", "", ["Turkiye agrees."], 1.0),
    ],
)
def test_coverage_is_the_share_of_content_words_held(sentence: str, given: str, held: list[str], share: float) -> None:
    assert coverage(sentence, given, held) == pytest.approx(share)


WORDS = "Lions zebras quokkas wombats otters"


@pytest.mark.parametrize(
    ("sentence", "held", "support"),
    [
        (WORDS, ["lions zebras quokkas"], Support.SUPPORTED),  # 3 of 5
        (WORDS, ["lions zebras"], Support.PARTIAL),  # 2 of 5
        (WORDS, ["lions"], Support.UNSUPPORTED),  # 1 of 5
        (WORDS, ["lions zebras", "quokkas"], Support.SUPPORTED),  # of all together
        (WORDS, [], Support.UNSUPPORTED),
        ("The port opened in 2007.", ["The port opened in 2007."], Support.SUPPORTED),
        ("The port opened in 2007.", ["The port opened in 2008."], Support.PARTIAL),
        ("The port opened in 2007.", ["Wheat grew in 2007."], Support.PARTIAL),
        ("The port opened in 2007.", ["Wheat grew in 2008."], Support.UNSUPPORTED),
        ("It hired five cooks.", ["It hired 5 cooks."], Support.SUPPORTED),
        ("It hired 5 cooks.", ["It hired five cooks."], Support.SUPPORTED),
        ("It hired five cooks.", ["It hired nine cooks."], Support.PARTIAL),
        ("It hired 1,000 cooks.", ["It hired 1000 cooks."], Support.SUPPORTED),
        ("It hired 1,000 cooks.", ["It hired 10,000 cooks."], Support.PARTIAL),
        ("It rose by 2.5 per cent.", ["It rose by 2.5 per cent."], Support.SUPPORTED),
        ("It rose by 2.5 per cent.", ["It rose by 25 per cent."], Support.PARTIAL),
        ("The harbour was opened by Khan.", ["Khan opened the harbour."], Support.SUPPORTED),
        ("The harbour was opened by Khan.", ["Mirza opened the harbour."], Support.PARTIAL),
    ],
)
def test_a_sentence_is_as_supported_as_its_words_names_and_numbers_are(
    sentence: str, held: list[str], support: Support
) -> None:
    assert check(sentence, "", held) is support


@pytest.mark.parametrize(
    ("around", "support"), [(["In 2007 much was built."], Support.SUPPORTED), (["Wheat grew."], Support.PARTIAL)]
)
def test_a_number_of_the_question_is_given_only_where_the_articles_speak_of_it(
    around: list[str], support: Support
) -> None:
    assert check("The port opened in 2007.", "What opened in 2007?", ["The port opened."], around) is support


HELD = ("The port opened in 2007.", "Wheat prices fell.", "Its cranes came from China.")


def test_a_named_sentence_that_carries_the_claim_is_kept_alone() -> None:
    assert supporting("The port opened in 2007.", "", [1], evidence(*HELD)) == (1,)


def test_a_marker_that_is_one_off_is_corrected() -> None:
    assert supporting("The port opened in 2007.", "", [2], evidence(*HELD)) == (1,)


def test_what_one_sentence_does_not_carry_another_is_attached_for() -> None:
    sentence = "The port opened in 2007 with cranes from China."
    assert set(supporting(sentence, "", [1], evidence(*HELD))) == {1, 3}


def test_a_sentence_without_markers_gets_what_carries_it() -> None:
    assert supporting("Wheat prices fell.", "", [], evidence(*HELD)) == (2,)


def test_numbers_without_evidence_are_dropped() -> None:
    assert supporting("Wheat prices fell.", "", [9, 2], evidence(*HELD)) == (2,)


def test_a_claim_that_nothing_holds_cites_nothing() -> None:
    assert supporting("Elephants danced.", "", [1, 2], evidence(*HELD)) == ()
    assert supporting("Elephants danced.", "", [], []) == ()


def test_a_number_alone_is_enough_to_attach_its_sentence() -> None:
    assert supporting("2007.", "", [], evidence(*HELD)) == (1,)


def test_at_most_three_sentences_are_attached() -> None:
    words = [f"Quokka{letter} danced." for letter in "abcdef"]
    sentence = " ".join(f"quokka{letter}" for letter in "abcdef")
    assert len(supporting(sentence, "", [], evidence(*words))) == 3


def test_a_name_that_nobody_supplied_is_invented() -> None:
    article = Article("a", "The port of Gwadar", "The port opened in 2007.")
    evidence = [EvidenceSentence(1, article, 0, 0, len(article.text), 1.0)]
    assert invents("It was opened by Shontel Brown.", "Who opened the port?", evidence)
    assert invents("It opened in 2009.", "When did the port open?", evidence)
    assert not invents("The port of Gwadar opened in 2007.", "When did it open?", evidence)
    assert not invents("No, Brown did not open it.", "Did Brown open it?", evidence)
