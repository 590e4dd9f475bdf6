from __future__ import annotations

import pytest

from index.article import Article
from index.sentences import split_sentences
from rag.cite import cite, read_markers, stands_nowhere
from rag.types import EvidenceSentence

TEXT = "Zero stands first.  One follows.\nTwo is third. Three is fourth. Four ends it \U0001f600."
ARTICLE = Article("a", "Numbers", TEXT, source="Paper", author="Kim", published="2025-07", url="https://e.org")
OTHER = Article("b", "Others", TEXT)


def evidence(*places: tuple[Article, int]) -> list[EvidenceSentence]:
    """Evidence of these sentences, numbered from 1."""
    spans = split_sentences(TEXT)
    return [
        EvidenceSentence(number, article, position, spans[position].start, spans[position].end, 0.5)
        for number, (article, position) in enumerate(places, start=1)
    ]


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("A port opened [1].", [("A port opened.", (1,))]),
        ("A port opened. [1]", [("A port opened.", (1,))]),
        ("A port opened.[1]", [("A port opened.", (1,))]),
        ("One opened [1]. Two closed [2][3].", [("One opened.", (1,)), ("Two closed.", (2, 3))]),
        ("One opened. [1] Two closed. [2]", [("One opened.", (1,)), ("Two closed.", (2,))]),
        ("It opened in 2024. [3] The minister came. [4]", [("It opened in 2024.", (3,)), ("The minister came.", (4,))]),
        ("Both [1, 2] and [2] hold.", [("Both and hold.", (1, 2))]),
        ("All hold [1–3].", [("All hold.", (1, 2, 3))]),
        ("All hold [1-3; 7].", [("All hold.", (1, 2, 3, 7))]),
        ("All hold [1 and 4].", [("All hold.", (1, 4))]),
        ("All hold [1-99].", [("All hold.", (1, 99))]),
        ("All hold [5-2].", [("All hold.", (5, 2))]),
        ("It holds [sentence 4].", [("It holds.", (4,))]),
        ("It holds [Sentences 4, 5].".replace("S", "s"), [("It holds.", (4, 5))]),
        ("It holds [ 4 ].", [("It holds.", (4,))]),
        ("It holds 【5】.", [("It holds.", (5,))]),
        ("It was torn off [1", [("It was torn off", ())]),
        ("It was torn off [", [("It was torn off", ())]),
        ("In [2024] it opened.", [("In [2024] it opened.", ())]),
        ("He said [sic] so [2].", [("He said [sic] so.", (2,))]),
        ("Nothing cited.", [("Nothing cited.", ())]),
        ("- One opened [1].\n- Two closed [2].", [("One opened.", (1,)), ("Two closed.", (2,))]),
        ("1. One opened [1].\n2. Two closed [2].", [("One opened.", (1,)), ("Two closed.", (2,))]),
        ("[1]", []),
        ("", []),
        (" … ", []),
    ],
)
def test_markers_are_read_in_every_form_a_model_writes(text: str, marked: list[tuple[str, tuple[int, ...]]]) -> None:
    assert [(sentence.text, sentence.numbers) for sentence in read_markers(text)] == marked


def test_a_citation_is_the_articles_own_text_with_its_source() -> None:
    (citations,) = cite([[1]], evidence((ARTICLE, 4)))
    (citation,) = citations
    assert citation.quote == TEXT[citation.start : citation.end] == "Four ends it \U0001f600."
    assert (citation.article, citation.title, citation.source) == ("a", "Numbers", "Paper")
    assert (citation.author, citation.published, citation.url) == ("Kim", "2025-07", "https://e.org")
    assert citation.sentence_ids == ("a#4",)


def test_neighbours_become_one_quotation_with_what_stands_between() -> None:
    for order in ([1, 2], [2, 1]):
        ((citation,),) = cite([order], evidence((ARTICLE, 0), (ARTICLE, 1)))
        assert citation.quote == "Zero stands first.  One follows."
        assert citation.sentence_ids == ("a#0", "a#1")


def test_sentences_that_are_no_neighbours_stay_apart_in_the_order_named() -> None:
    (citations,) = cite([[2, 1]], evidence((ARTICLE, 0), (ARTICLE, 2)))
    assert [c.sentence_ids for c in citations] == [("a#2",), ("a#0",)]
    assert [c.number for c in citations] == [1, 2]


def test_neighbouring_positions_of_two_articles_are_no_neighbours() -> None:
    (citations,) = cite([[1, 2]], evidence((ARTICLE, 0), (OTHER, 1)))
    assert [c.article for c in citations] == ["a", "b"]


def test_equal_quotations_carry_one_number_throughout() -> None:
    first, second, third = cite([[1], [2], [1]], evidence((ARTICLE, 0), (ARTICLE, 3)))
    assert [c.number for c in (*first, *second, *third)] == [1, 2, 1]
    assert first == third


def test_a_part_of_a_longer_quotation_is_a_quotation_of_its_own() -> None:
    both, one = cite([[1, 2], [1]], evidence((ARTICLE, 0), (ARTICLE, 1)))
    assert (both[0].number, one[0].number) == (1, 2)


def test_a_number_without_evidence_cites_nothing() -> None:
    assert cite([[7], [0], [1, 7]], evidence((ARTICLE, 0)))[:2] == [(), ()]
    assert len(cite([[1, 7]], evidence((ARTICLE, 0)))[0]) == 1


def test_a_number_named_twice_cites_once() -> None:
    assert len(cite([[1, 1]], evidence((ARTICLE, 0)))[0]) == 1


def test_without_evidence_nothing_is_cited() -> None:
    assert cite([[1], []], []) == [(), ()]


KNOWN = ("The port of Gwadar was opened in 2007, said Mr Karim.", "It cost 1,400.5 million; China’s banks lent it.")


@pytest.mark.parametrize(
    ("sentence", "added"),
    [
        ("The port of Gwadar was opened in 2007.", []),
        ("The port of Karachi was opened in 2008.", ["Karachi", "2008"]),
        ("In Gwadar it was.", []),
        ("Nobody in Gwadar said so.", []),
        ("Yesterday Karachi said so.", ["Karachi"]),
        ("the Karachi bridge.", ["Karachi"]),
        ("It cost three times as much, and nobody paid.", []),
        ("", []),
    ],
)
def test_names_and_numbers_that_stand_nowhere_are_named_and_the_first_word_is_none(
    sentence: str, added: list[str]
) -> None:
    assert stands_nowhere(sentence, KNOWN) == added


@pytest.mark.parametrize(
    "sentence", ["It is Gwadar’s.", "It is Gwadar's port.", "It is the Karims’ port.", "It is China."]
)
def test_a_possessive_is_the_name_that_it_is_made_of(sentence: str) -> None:
    assert stands_nowhere(sentence, (*KNOWN, "the karims")) == []
    (name,) = stands_nowhere(sentence, ["Nothing."])
    assert name in sentence


@pytest.mark.parametrize(
    ("sentence", "added"),
    [
        ("It cost 1,400.5 million.", []),
        ("It cost 1,400.5, they say.", []),
        ("It was opened in 2007, they say.", []),
        ("It was opened in (2007).", []),
        ("It cost 1,500 million.", ["1,500"]),
        ("It cost 1400.5 million.", ["1400.5"]),
        ("It cost 1.400,5 million.", ["1.400,5"]),
    ],
)
def test_a_number_stands_where_it_is_written_alike_whatever_follows_it(sentence: str, added: list[str]) -> None:
    assert stands_nowhere(sentence, KNOWN) == added


@pytest.mark.parametrize(
    ("sentence", "added"),
    [
        ("It is “Gwadar”.", []),
        ("It is “Karachi”.", ["Karachi"]),
        ("It is 'Karachi'.", ["Karachi"]),
        ("“The port” was opened.", []),
        ("“Karachi” was opened.", ["Karachi"]),
    ],
)
def test_a_name_in_quotes_is_a_name_even_where_it_comes_first(sentence: str, added: list[str]) -> None:
    assert stands_nowhere(sentence, KNOWN) == added


def test_names_stand_in_any_known_text_in_any_case() -> None:
    assert stands_nowhere("It was GWADAR, where Mr Karim and China met.", KNOWN) == []
    assert stands_nowhere("It was Gwadar in 2007.", []) == ["Gwadar", "2007"]
    assert stands_nowhere("It was Gwadar.", iter(["in", "gwadar"])) == []
