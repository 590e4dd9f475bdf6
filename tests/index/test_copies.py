"""Articles that are copies of each other: found, told, and counted once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from index.copies import are_copies, bands, signature
from index.filters import Filters
from index.relevance import Score, Scores
from index.search import Index
from rag.evidence import pool

Write = Callable[..., Path]

STORY = (
    "A new bridge over the Ravi was opened on Monday after six years of work. "
    "It is four hundred metres long and carries two lanes of traffic in each direction. "
    "Engineers had to sink its pillars thirty metres into soft river sand. "
    "The provincial government paid nine billion rupees, twice what was planned. "
    "A strike of the welders had delayed everything by eleven months. "
    "Farmers from the eastern bank can now bring vegetables to market within an hour. "
    "Until now they depended on a ferry that stopped whenever the water rose. "
    "The mayor thanked all workers and named three who had died during construction. "
    "A toll of fifty rupees will be taken from lorries, while cars pass without paying. "
    "Lamps along both pavements are powered by the sun."
)
OTHER = (
    "A bridge over the Chenab was closed on Monday after cracks were found in a pillar. "
    "Lorries must take a detour of ninety kilometres through two towns. "
    "The railway beside it is not affected, officials of the ministry said. "
    "Repairs are going to take until autumn and will cost about two billion rupees."
)
QUESTION = "How long is the new bridge over the Ravi?"


def edited(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@pytest.fixture
def add_rows(corpus: Index, write: Write) -> Callable[..., None]:
    """Adds articles to the corpus: id → text, or a row."""

    def add_rows(**articles: str | Mapping[str, str]) -> None:
        rows = [
            {"id": name, "title": "The news", **({"text": given} if isinstance(given, str) else given)}
            for name, given in articles.items()
        ]
        corpus.add([write(f"{'-'.join(articles)}.jsonl", rows)])

    return add_rows


AddRows = Callable[..., None]

# Three texts, each a copy of the one before it, the last no copy of the first any more.
CHAIN = [STORY]
for _changes in (
    [("Monday", "Tuesday"), ("thirty", "forty"), ("eleven months", "a year")],
    [("six years", "a decade"), ("lanes", "tracks")],
):
    CHAIN.append(edited(CHAIN[-1], *_changes))


def found(corpus: Index, question: str, limit: int = 10, **options: object) -> list[str]:
    return [hit.article.id for hit in corpus.search(question, limit, **options)]  # type: ignore[arg-type]


# Signatures


def test_a_text_with_small_edits_is_a_copy_and_another_on_the_same_matter_is_not() -> None:
    own = signature(STORY)
    assert are_copies(own, signature(edited(STORY, ("Monday", "Tuesday"), ("nine billion", "9 billion"))))
    assert are_copies(own, signature(f"LAHORE (Agencies) — {STORY}"))
    assert not are_copies(own, signature(OTHER))
    assert not are_copies(own, signature(STORY[: len(STORY) // 2]))


def test_case_quotation_marks_and_line_breaks_make_no_difference() -> None:
    told = STORY.upper().replace(". ", "!\n\n").replace(",", " –")
    np.testing.assert_array_equal(signature(STORY), signature(told))


def test_copies_share_a_band_and_strangers_share_none() -> None:
    one, copy, stranger = (set(bands(signature(text))) for text in (STORY, CHAIN[1], OTHER))
    assert one & copy
    assert not one & stranger


@pytest.mark.parametrize("text", ["a", "One two three.", "国" * 50, "१२३ नमस्ते"])
def test_a_text_of_a_few_words_has_a_signature_and_is_its_own_copy(text: str) -> None:
    assert are_copies(signature(text), signature(text))
    assert not are_copies(signature(text), signature(f"Quite another thing than this: {text} and so on."))


# Groups


def test_syndicated_copies_are_named_by_each_other_and_others_are_not(corpus: Index, add_rows: AddRows) -> None:
    add_rows(first=STORY, second=edited(STORY, ("Monday", "Tuesday")), other=OTHER)
    assert corpus.copies("first") == ["second"]
    assert corpus.copies("second") == ["first"]
    assert corpus.copies("other") == []


def test_copies_that_are_added_later_join_the_group_the_first_published_first(corpus: Index, add_rows: AddRows) -> None:
    add_rows(undated=STORY)
    add_rows(late={"text": STORY, "published": "2025-03-02"})
    add_rows(early={"text": STORY, "published": "2025-03-01"}, own=OTHER)
    assert corpus.copies("own") == []
    assert corpus.copies("undated") == ["early", "late"]
    assert corpus.copies("early") == ["late", "undated"]


def test_three_chained_copies_are_one_group(corpus: Index, add_rows: AddRows) -> None:
    one, two, three = map(signature, CHAIN)
    assert are_copies(one, two) and are_copies(two, three) and not are_copies(one, three)
    add_rows(one=CHAIN[0], three=CHAIN[2])
    assert corpus.copies("one") == []
    add_rows(two=CHAIN[1])
    assert corpus.copies("one") == ["three", "two"]
    assert corpus.copies("two") == ["one", "three"]


def test_what_held_a_group_together_leaves_two_when_it_is_removed(corpus: Index, add_rows: AddRows) -> None:
    add_rows(one=CHAIN[0], two=CHAIN[1], three=CHAIN[2], again=CHAIN[2])
    corpus.remove(["two"])
    assert corpus.copies("one") == []
    assert corpus.copies("three") == ["again"]


def test_removing_the_first_of_a_group_leaves_the_others_a_group(corpus: Index, add_rows: AddRows) -> None:
    add_rows(a=STORY, b=STORY, c=STORY)
    corpus.remove(["a"])
    assert corpus.copies("b") == ["c"]
    add_rows(d=STORY)
    assert corpus.copies("b") == ["c", "d"]
    corpus.remove(["c", "d"])
    assert corpus.copies("b") == []
    assert [hit.copies for hit in corpus.search(QUESTION)] == [()]


def test_a_new_version_that_is_another_text_leaves_the_group(corpus: Index, write: Write) -> None:
    paths = [write("a.txt", STORY), write("b.txt", STORY)]
    corpus.add(paths)
    assert corpus.copies("a") == ["b"]
    write("a.txt", OTHER)
    corpus.add(paths)
    assert corpus.copies("a") == corpus.copies("b") == []


def test_groups_do_not_depend_on_the_order_in_which_articles_came(corpus: Index, add_rows: AddRows) -> None:
    add_rows(three=CHAIN[2], one=CHAIN[0], other=OTHER, two=CHAIN[1])
    before = {name: set(corpus.copies(name)) for name in ("one", "two", "three", "other")}
    corpus.ledger.rebuild()
    assert {name: set(corpus.copies(name)) for name in before} == before
    assert before["one"] == {"two", "three"}


# Search


def test_one_copy_speaks_for_all_and_names_them(corpus: Index, add_rows: AddRows) -> None:
    add_rows(a={"text": STORY, "source": "Herald"}, b={"text": STORY, "source": "Courier"}, c=STORY, other=OTHER)
    hits = corpus.search(QUESTION)
    speaking = {hit.article.id for hit in hits} - {"other"}
    assert len(speaking) == 1
    for hit in hits:
        assert set(hit.copies) == (set() if hit.article.id == "other" else {"a", "b", "c"} - speaking)


def test_copies_take_no_places_from_other_articles(corpus: Index, add_rows: AddRows) -> None:
    add_rows(**{f"copy{n}": f"A new bridge over the Ravi was opened. {OTHER}" for n in range(12)})
    add_rows(far="The bridge game of the club began at eight.", near="The Ravi carried more water than in spring.")
    assert {"far", "near"} <= set(found(corpus, "new bridge over the Ravi", 3))


def test_with_each_copy_all_stand_for_themselves(corpus: Index, add_rows: AddRows) -> None:
    add_rows(a=STORY, b=STORY, other=OTHER)
    hits = corpus.search(QUESTION, each_copy=True)
    assert {hit.article.id for hit in hits} == {"a", "b", "other"}
    assert all(hit.copies == () for hit in hits)


def test_what_only_the_copy_says_is_found(corpus: Index, add_rows: AddRows) -> None:
    more = "A zoologist counted nineteen otters beside the ferry landing."
    add_rows(a=STORY, b=f"{STORY} {more}")
    assert corpus.copies("a") == ["b"]
    best, *_ = corpus.search("How many otters were counted?")
    assert best.article.id == "b"
    assert more in best.text
    assert best.copies == ("a",)
    assert any("nineteen otters" in hit.text for hit in corpus.search(QUESTION))


def test_a_copy_with_another_figure_is_found_with_it(corpus: Index, add_rows: AddRows) -> None:
    add_rows(a=STORY, b=edited(STORY, ("four hundred metres", "nine hundred metres")))
    told = " ".join(hit.text for hit in corpus.search(QUESTION))
    assert "four hundred metres" in told
    assert "nine hundred metres" in told


def test_filters_that_allow_only_the_copy_find_the_copy(corpus: Index, add_rows: AddRows) -> None:
    add_rows(
        a={"text": STORY, "source": "Herald", "published": "2025-03-01"},
        b={"text": STORY, "source": "Courier", "published": "2025-03-02"},
    )
    for filters, only in (
        (Filters(sources=("Courier",)), "b"),
        (Filters(articles=("a",)), "a"),
        (Filters(since="2025-03-02"), "b"),
    ):
        assert set(found(corpus, QUESTION, filters=filters)) == {only}


def test_a_copy_that_is_removed_is_no_longer_named(corpus: Index, add_rows: AddRows) -> None:
    add_rows(a=STORY, b=STORY, c=STORY)
    corpus.search(QUESTION)
    corpus.remove(["b"])
    hits = corpus.search(QUESTION)
    assert {hit.article.id for hit in hits} | {name for hit in hits for name in hit.copies} == {"a", "c"}


def test_a_corpus_in_memory_counts_copies_once_too(corpus: Index, add_rows: AddRows) -> None:
    add_rows(a=STORY, b=STORY)
    with Index.in_memory([corpus.article(name) for name in "ab"], corpus.embedder) as memory:
        assert len({hit.article.id for hit in memory.search(QUESTION)}) == 1
        assert memory.copies("a") == ["b"]


# Evidence


@pytest.fixture
def relevance() -> Score:
    def scores(question: str, texts: object) -> Scores:
        return np.zeros(len(list(texts)), np.float32)  # type: ignore[call-overload]

    return scores


def test_a_sentence_says_in_which_copies_it_stands_too(corpus: Index, add_rows: AddRows, relevance: Score) -> None:
    add_rows(
        a={"text": STORY, "published": "2025-03-01"},
        b={"text": STORY.replace(". ", ".\n\n"), "published": "2025-03-02"},
        c={"text": edited(STORY, ("four hundred", "nine hundred")), "published": "2025-03-03"},
        other=OTHER,
    )
    own = [each.sentence for each in pool(QUESTION, corpus.search(QUESTION), corpus, relevance)]
    for said, copies in (("four hundred metres", {"a", "b"}), ("nine hundred metres", {"c"}), ("A strike", set("abc"))):
        told = [e for e in own if said in e.text]
        assert told, said
        for e in told:
            assert {e.article.id, *e.also_in} == copies
    assert all(e.also_in == () for e in own if e.article.id == "other")


def test_a_copy_that_is_removed_while_the_evidence_is_gathered_is_passed_over(
    corpus: Index, add_rows: AddRows, relevance: Score
) -> None:
    add_rows(a=STORY, b=STORY, c=STORY)
    hits = corpus.search(QUESTION)
    gone = hits[0].copies[0]
    corpus.remove([gone])
    for each in pool(QUESTION, hits, corpus, relevance):
        assert gone not in each.sentence.also_in
