from __future__ import annotations

import math

import pytest

from rag.features import FEATURES, carriers, features, read_claim, share_held, terms

HELD = ("The port opened in 2007.", "Wheat prices fell.", "Its cranes came from China.")


def test_terms_are_stems_plain_numbers_and_months() -> None:
    assert terms("Prices fell by 14 million in Oct. 2007") >= {"price", "fell", "14000000", "octob", "2007"}
    assert "million" not in terms("14 million")


def test_a_claim_owes_what_the_question_did_not_say() -> None:
    assert read_claim("The port opened in 2007.").terms == {"port", "open", "2007"}
    assert read_claim("The port opened in 2007.", "When did the port open?").terms == {"2007"}
    assert read_claim("The port opened.", "When did the port open?").terms == {"port", "open"}  # nothing else is said


def test_what_the_question_names_is_owed_unless_the_articles_speak_of_it() -> None:
    asked, said = "Who opened Gwadar in 2007?", "In 2007 it was Khan who opened Gwadar."
    assert read_claim(said, asked).names == {"khan", "gwadar"}
    assert read_claim(said, asked).exact == {"2007"}
    around = read_claim(said, asked, ["Gwadar, built in 2007, lies by the sea."])
    assert (around.names, around.exact) == ({"khan"}, frozenset())


def test_each_clause_is_looked_at_alone() -> None:
    claim = read_claim("The port opened early, and wheat prices fell.")
    assert set(claim.clauses) == {frozenset({"port", "open", "earli"}), frozenset({"wheat", "price", "fell"})}
    # "In 2007" is too little to be a clause of its own.
    assert read_claim("In 2007, the port opened.").clauses == ({"2007", "port", "open"},)


def test_features_by_hand() -> None:
    claim = read_claim("The port opened in 2007 with cranes from Spain, and wheat prices rose.")
    found = features(claim, HELD)
    assert tuple(found) == FEATURES
    assert found["best"] == pytest.approx(3 / 8)  # port, open, 2007 of those and crane, spain, wheat, price, rose
    assert found["clause"] == pytest.approx(1 / 2)  # cranes (and Spain)
    assert found["exact_missing"] == 0.0
    assert found["names_missing"] == pytest.approx(math.log(2))
    assert found["quoted_missing"] == 0.0
    assert share_held(claim.terms, HELD) == pytest.approx(6 / 8)


def test_a_quotation_has_to_stand_word_for_word() -> None:
    claim = read_claim('Khan said "we shall never sell the port".')
    assert features(claim, ["“We shall never sell the port”, Khan said."])["quoted_missing"] == 0.0
    assert features(claim, ["Khan said we shall never ever sell the port."])["quoted_missing"] == 1.0


def test_carriers_come_in_the_order_of_what_they_add() -> None:
    owed = terms("Wheat prices fell when the cranes came from China and lions danced")
    assert carriers(owed, HELD) == (1, 2)  # three terms each, the first in the text first
    assert carriers(owed, ["Nothing."]) == ()
    assert carriers(owed, []) == ()
