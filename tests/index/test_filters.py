"""Names as filters compare them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from index.filters import Filters, as_filtered
from index.search import Index


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Herald", "the  herald "),
        ("L’Équipe", "l'équipe"),
        ("L'Équipe", unicodedata.normalize("NFD", "L‘ÉQUIPE")),
        ("Straßenblatt", "STRASSENBLATT"),
        ("Ｔｉｍｅｓ", "times"),
        ("Le\u00a0Monde", "le monde"),
        ("ΕΛΕΥΘΕΡΟΣ ΤΥΠΟΣ", "ελευθερος τυπος"),
    ],
)
def test_one_name_in_two_codings_is_one_name(one: str, other: str) -> None:
    assert as_filtered(one) == as_filtered(other)


@pytest.mark.parametrize(("one", "other"), [("Herald", "Heralds"), ("Müller", "Muller"), ("A.B.", "AB"), ("", "x")])
def test_two_names_stay_two(one: str, other: str) -> None:
    assert as_filtered(one) != as_filtered(other)


@pytest.mark.parametrize("source", ["L’Équipe", "l'équipe", unicodedata.normalize("NFD", "L'ÉQUIPE")])
def test_a_source_is_found_however_it_is_typed(corpus: Index, write: Callable[..., Path], source: str) -> None:
    rows = [
        {"id": "own", "text": "The race was won.", "source": "L’Équipe", "author": "Émile  Zola"},
        {"id": "other", "text": "The race was lost.", "source": "L'Équipée"},
    ]
    corpus.add([write("rows.jsonl", rows)])
    assert [hit.article.id for hit in corpus.search("race", filters=Filters(sources=(source,)))] == ["own"]
    assert [row.id for row in corpus.articles(Filters(sources=(source,), authors=("émile zola",)))] == ["own"]
