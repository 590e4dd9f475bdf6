from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from index.article import Article
from rag.types import EvidenceSentence, Support
from rag.cite import cite
from rag.support import PARTIAL, SUPPORTED, SURE, check, judged, supporting

YES, PARTLY, NO = Support.SUPPORTED, Support.PARTIAL, Support.UNSUPPORTED


def evidence(*texts: str) -> list[EvidenceSentence]:
    article = Article("a", "T", "\n".join(texts))
    starts = [article.text.index(text) for text in texts]
    return [
        EvidenceSentence(n, article, n - 1, start, start + len(text), 0.5)
        for n, (start, text) in enumerate(zip(starts, texts, strict=True), start=1)
    ]


@pytest.mark.parametrize(
    ("sentence", "held", "support"),
    [
        ("The port opened in 2007.", ["The port opened in 2007."], YES),
        ("The port opened in 2007.", ["The port opened in 2008."], PARTLY),
        ("The port opened in 2007.", ["Wheat grew in 2008."], NO),
        ("The port opened in 2007.", [], NO),
        ("It hired five cooks.", ["It hired 5 cooks."], YES),
        ("It hired 5 cooks.", ["It hired five cooks."], YES),
        ("It hired five cooks.", ["It hired nine cooks."], PARTLY),
        ("It hired 1,000 cooks.", ["It hired 1000 cooks."], YES),
        ("It hired 1,000 cooks.", ["It hired 10,000 cooks."], PARTLY),
        ("It rose by 2.5 per cent.", ["It rose by 2.50 %, which is 2.5 per cent."], YES),
        ("It rose by 2.5 per cent.", ["It rose by 25 per cent."], PARTLY),
        ("The bridge cost 14 million euros.", ["The bridge cost 14m euros."], YES),
        ("The bridge cost 14 million euros.", ["The bridge cost 14 euros."], PARTLY),
        ("The bridge opened on 3 October 2004.", ["The bridge opened (2004-10-03)."], YES),
        ("The bridge opened on 3 October 2004.", ["The bridge opened on 3 November 2004."], PARTLY),
        ("The harbour was opened by Khan.", ["Khan opened the harbour."], YES),
        ("The harbour was opened by Khan.", ["Mirza opened the harbour."], PARTLY),
        ("Türkiye agreed.", ["Turkiye agrees."], YES),
        ("Khan said “we never sell ports”.", ["“We never sell ports,” Khan said."], YES),
        ("Khan said “we never sell ports”.", ["“We would never sell ports,” Khan said."], PARTLY),
        ("Lions zebras quokkas wombats otters", ["lions zebras quokkas wombats"], YES),
        ("Lions zebras quokkas wombats otters", ["lions zebras", "quokkas"], PARTLY),  # three of five, together
        ("Lions zebras quokkas wombats otters", ["lions zebras"], NO),
        ("It was so.", ["It was so."], NO),  # no word that could be looked for
    ],
)
def test_a_sentence_is_as_supported_as_its_words_names_and_numbers_are(
    sentence: str, held: list[str], support: Support
) -> None:
    assert check(sentence, "", held).support is support


@pytest.mark.parametrize("answer", ["Fatah.", "It was Fatah.", "Fatah won the election of 2006."])
def test_a_short_answer_owes_only_what_the_question_did_not_say(answer: str) -> None:
    asked, held = "Which party won the election of 2006?", "Fatah took most of the seats."
    around = ["The election of 2006 was close."]
    assert check(answer, asked, [held], [held, *around]).support is YES
    assert check(answer, asked, ["Hamas took most of the seats."], around).support is NO


@pytest.mark.parametrize("around", [["In 2007 much was built."], ["Wheat grew."]])
def test_a_number_of_the_question_is_given_only_where_the_articles_speak_of_it(around: list[str]) -> None:
    verdict = check("The port opened in 2007.", "What opened in 2007?", ["The port opened."], around)
    assert (verdict.support is YES) == ("2007" in around[0])


def test_a_name_spoken_of_around_the_evidence_may_be_meant_by_a_pronoun() -> None:
    said, held = "The harbour of Gwadar was opened by Khan in May.", ["He opened the harbour of Gwadar in May."]
    assert check(said, "", held, ["Khan spoke."]).support is YES
    assert check(said, "", held, ["Mirza spoke."]).support is PARTLY


HELD = ("The port opened in 2007.", "Wheat prices fell.", "Cranes came from China.")


def test_without_the_sentence_that_holds_the_number_the_probability_falls() -> None:
    said = "The port opened in 2007, and its cranes came from China."
    whole, without = check(said, "", HELD), check(said, "", HELD[1:])
    assert whole.probability > SUPPORTED > without.probability
    assert whole.probability - without.probability > 0.3
    assert check(said, "", [*HELD, "More was said."]).probability == whole.probability


def test_labels_follow_from_the_thresholds() -> None:
    words = "lion zebra quokka wombat otter heron gecko bison camel tapir".split()
    for n in range(len(words) + 1):
        verdict = check(" ".join(words), "", [" ".join(words[:n])])
        assert 0 <= verdict.probability <= 1
        partly = PARTLY if n / len(words) >= PARTIAL else NO
        assert verdict.support is (YES if verdict.probability >= SUPPORTED else partly)


@pytest.mark.parametrize(
    "text",
    ["", " ", "\x00\x1b[31m", "(" * 10_000, "a, " * 3_333, "9" * 10_000, "1," * 5_000, '"' * 10_000, "“a b c " * 1_500,
     "A" * 10_000, "Khan " * 2_000, "2005-" * 2_000, "twenty " * 1_500, "\u0301" * 10_000, "🏗️" * 2_500],
)  # fmt: skip
def test_hostile_and_huge_texts_are_checked_within_a_second(text: str) -> None:
    start = time.perf_counter()
    for sentence, held in ((text, HELD), (HELD[0], (text,)), (text, (text, *HELD))):
        assert 0 <= check(sentence, text[:100], held, [text]).probability <= 1
    article = Article("a", text, text or " ")
    supporting(text, "", [1], [EvidenceSentence(1, article, 0, 0, len(article.text), 0.5)])
    assert time.perf_counter() - start < 1


# What carries a sentence


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


def test_between_equals_the_question_decides_then_the_marker_then_the_order() -> None:
    held = evidence("Fatah was founded in 1959.", "Fatah took most of the seats.", "Fatah was asked to comment.")
    assert supporting("Fatah.", "Who took the most seats?", [], held) == (2,)
    assert supporting("Fatah.", "Who was it?", [3], held) == (3,)
    assert supporting("Fatah.", "Who was it?", [], held) == (1,)


def test_of_two_like_events_that_of_the_year_that_is_asked_about_is_cited() -> None:
    held = evidence("Ada Holm won the final, her second since 2018.", "In 2019 Ada Holm beat Mara Lind in the final.")
    assert supporting("Ada Holm won the final of 2019.", "Who won the final of 2019?", [1], held)[0] == 2


def test_at_most_four_sentences_are_attached() -> None:
    names = [f"quokka{letter}" for letter in "abcdef"]
    held = evidence(*(f"{name} danced." for name in names))
    assert len(supporting(" and ".join(names), "", [], held)) <= 4


def test_the_sentence_before_is_cited_where_it_names_who_or_what_is_meant() -> None:
    held = evidence(
        "Mara Lind leads the union.", "She speaks of a strike in May.", "It rained.", "Wages are spoken of."
    )
    said, asked = "Mara Lind speaks of a strike in May.", "What does Mara Lind speak of?"
    assert supporting(said, asked, [], held) == (2, 1)
    assert supporting("She speaks of a strike in May.", asked, [], held) == (2, 1)
    assert supporting("Wages are spoken of.", "", [], held) == (4,), "the rain says nothing of it"
    people = evidence("The mayor spoke to people.", "Rebels attacked the convoy, killing five.")
    assert supporting("Rebels attacked the convoy, killing five people.", "", [], people) == (2,), "a word is no name"
    elsewhere = EvidenceSentence(2, Article("b", "A strike", held[1].text), 1, 0, len(held[1].text), 0.5)
    assert supporting(said, asked, [], [held[0], elsewhere]) == (2,), "before it, but in another article"
    text = "Mara Lind leads the union. A strike begins in May."
    for title, cited in (("A strike", (2, 1)), ("Mara Lind strikes", (2,))):
        article = Article("c", title, text)
        both = [EvidenceSentence(1, article, 0, 0, 26, 0.5), EvidenceSentence(2, article, 1, 27, len(text), 0.5)]
        assert (
            supporting("Mara Lind’s strike begins in May.", "When does the strike of Mara Lind begin?", [], both)
            == cited
        )


@pytest.mark.parametrize(
    ("quote", "published", "support"),
    [
        ("Norden won its third cup in 2022.", "2024-02-04", NO),
        ("Norden won its third cup in 2022.", "", NO),
        ("Norden won its third cup in 2022.", "2026-07-20", YES),
        ("Norden won its third cup in 2022.", "2027-01", YES),
        ("Norden won its third cup in 2022 and its fourth in 2026.", "2024-02-04", YES),
        ("Norden won its third cup in 2018-2026.", "", YES),
        ("Norden won the cup of 2025-26.", "", YES),
        ("Norden won the cup from 2019 to 2028.", "", YES),
        ("Norden won the cup in 2022 and wins it again next year.", "2025-11", YES),
        ("Norden won its third cup and 2,022 euros.", "2024-02-04", YES),
        ("Norden won its third cup.", "2024-02-04", YES),
    ],
)
def test_what_is_quoted_of_another_year_supports_nothing(quote: str, published: str, support: Support) -> None:
    article = Article("cup", "The cup of 2026", quote, published=published)
    held = [EvidenceSentence(1, article, 0, 0, len(quote), 1.0)]
    cited = cite([(1,)], held)[0]
    found = judged("Norden won the cup in 2026.", "Who won the cup in 2026?", cited, held)
    assert found.support is support


def test_a_number_that_is_not_asked_about_is_no_year() -> None:
    held = evidence("Aby had 2,000 inhabitants in 2019.")
    found = judged("Aby has 2000 inhabitants.", "How many inhabitants has Aby?", cite([(1,)], held)[0], held)
    assert found.support is YES


@pytest.mark.parametrize(("cited", "support"), [((2, 1), YES), ((2,), PARTLY), ((2, 3), PARTLY)])
def test_a_name_of_the_question_stands_in_what_is_cited(cited: tuple[int, ...], support: Support) -> None:
    held = evidence("A dam stands at Dasu.", "The bus attack killed ten engineers.", "Rain fell.")
    asked = "How many engineers did the bus attack at Dasu kill?"
    found = judged("The bus attack at Dasu killed ten engineers.", asked, cite([cited], held)[0], held)
    assert found.support is support


@pytest.mark.parametrize(
    ("asked", "cited", "support"),
    [
        ("How many people died in the bombing at Suden?", (2, 1), YES),
        ("How many people died in the bombing at Suden?", (2,), YES),
        ("How many died in the bombing at Suden harbour?", (2, 1), YES),
        ("How many died in the bombing at Suden harbour?", (2,), PARTLY),
        ("What happened to the mayor, the harbour and the people?", (2,), YES),
        ("What did the mayor sing?", (2,), PARTLY),
        ("How many?", (2,), YES),
        ("", (2,), YES),
    ],
)
def test_what_is_quoted_speaks_of_what_is_asked(asked: str, cited: tuple[int, ...], support: Support) -> None:
    held = evidence("A bombing shook Suden.", "Two people died and ten were injured.")
    said = held[1].text
    assert judged(said, asked, cite([cited], held)[0], held).support is support


def test_the_sentence_before_says_where() -> None:
    held = evidence("A bombing shook Suden.", "Two people died and ten were injured.", "It rained.")
    said = held[1].text
    assert supporting(said, "How many people died in Suden?", [], held) == (2, 1)
    assert supporting(said, "How many people died in Norden?", [], held) == (2,)


@pytest.mark.parametrize(
    ("said", "support"),
    [
        ("Jon Holm may treat Norden as a rival.", YES),
        ("The minister may treat Norden as a rival.", YES),
        ("Suden may treat Norden as a rival.", PARTLY),
        ("Norden may treat Norden as a rival.", YES),
    ],
)
def test_who_is_named_is_the_one_of_whom_the_quotation_speaks(said: str, support: Support) -> None:
    held = evidence("Suden is a neighbour.", "Minister Holm may treat Norden as a rival.")
    asked = "Does Suden, or its minister Jon Holm, treat Norden as a rival?"
    assert judged(said, asked, cite([(2,)], held)[0], held).support is support


def test_what_is_told_under_a_condition_is_no_fact() -> None:
    held = evidence("Should the talks fail, the union will strike in May.")
    cited = cite([(1,)], held)[0]
    assert judged("The union will strike in May.", "", cited, held).support is PARTLY
    assert judged("The union will strike in May if the talks fail.", "", cited, held).support is YES


@pytest.mark.parametrize(
    ("said", "support"),
    [
        ("The mayor resigned over a corruption scandal.", YES),
        ("The Hamburg mayor stepped down over a corruption scandal.", PARTLY),
    ],
)
def test_one_word_of_the_question_may_be_said_in_another_way_but_no_name(said: str, support: Support) -> None:
    held = evidence("Hamburg has a port. The mayor stepped down on Monday over a corruption scandal.")
    quoted = EvidenceSentence(1, held[0].article, 1, 20, held[0].end, 1.0)
    asked = "Why did the Hamburg mayor resign on Monday?"
    assert judged(said, asked, cite([(1,)], [quoted])[0], held).support is support


@pytest.mark.parametrize("said", ["Contact with officials spoils that story.", "The step followed two attacks."])
def test_what_a_copied_sentence_leaves_open_is_cited_with_it(said: str) -> None:
    held = evidence("Some officials told a sad story of sanctions.", said)
    numbers = supporting(said, "", [], held)
    assert numbers == (2, 1)
    assert judged(said, "", cite([numbers], held)[0], held).support is YES
    assert judged(said, "", cite([(2,)], held)[0], held).support is PARTLY


def test_whose_it_is_may_stand_two_sentences_before() -> None:
    held = evidence(
        "Mara Lind leads the union.", "She is tired.", "The mayor called her speech a surprise.", "It ended."
    )
    assert supporting("The mayor called her speech a surprise.", "", [], held) == (3, 2, 1)
    assert supporting("It ended.", "", [], held) == (4, 3, 2), "no further back than two"


def test_a_sentence_that_begins_with_she_needs_the_one_before_it() -> None:
    held = evidence("Mara Lind leads the union.", "She speaks of a strike in May.", "She sings, too.")
    said, asked = "She speaks of a strike in May.", "What is said of a strike?"
    assert judged(said, asked, cite([(2, 1)], held)[0], held).support is YES
    assert judged(said, asked, cite([(2,)], held)[0], held).support is PARTLY
    assert judged("She sings, too.", asked, cite([(3, 2)], held)[0], held).support is PARTLY
    assert judged("Mara Lind speaks of a strike in May.", asked, cite([(2, 1)], held)[0], held).support is YES


class Sure:
    def probabilities(self, claim: str, texts: Sequence[str]) -> list[float]:
        return [0.99 for _ in texts]


@pytest.mark.parametrize(
    ("said", "support"),
    [
        ("Most attacks are the work of separatists.", YES),
        ("Most attacks are the work of nationalists.", PARTLY),
        ("Many attacks are said to be the work of nationalists and separatists.", PARTLY),
    ],
)
def test_a_word_that_is_not_there_makes_a_short_sentence_supported_in_part(said: str, support: Support) -> None:
    held = evidence("Most of the attacks are the work of separatists.")
    cited = cite([(1,)], held)[0]
    assert judged(said, "", cited, held).support is support
    assert judged(said, "", cited, held, Sure()).support is YES, "a model of inference reads more than words"


@pytest.mark.parametrize(
    ("before", "cited", "support"),
    [
        ("The bus was attacked at Dasu.", (2, 1), YES),
        ("The bus was attacked at Dasu.", (2,), PARTLY),
        ("A train was late.", (2, 1), PARTLY),
    ],
)
def test_what_is_taken_over_from_the_question_stands_in_what_is_cited(
    before: str, cited: tuple[int, ...], support: Support
) -> None:
    held = evidence(before, "Two people died in it.")
    found = judged("Two people died at Dasu.", "How many died in the attack at Dasu?", cite([cited], held)[0], held)
    assert found.support is support
    # A sentence that takes nothing over owes no more than it says.
    assert judged("Two people died.", "How many?", cite([(2,)], held)[0], held).support is YES


def test_an_answer_is_shown_as_supported_only_where_that_is_fairly_sure() -> None:
    said = "The port opened in 2007, and wheat prices fell in the spring."
    held = evidence("The port opened in 2007.", "Rain fell.", "Wheat prices fell.")
    cited = cite([(1, 3)], held)[0]
    found = judged(said, "", cited, held)
    assert check(said, "", [citation.quote for citation in cited]).support is YES
    assert (found.support, SUPPORTED < found.probability < SURE) == (PARTLY, True)
    assert judged("Wheat prices fell.", "", cited, held).support is YES


@pytest.mark.parametrize(
    ("said", "support"),
    [
        ("According to the City Gazette (2021-03-02), the repairs cost 14 million euros.", YES),
        ("The City Gazette said on 2 March 2021 that the repairs cost 14 million euros.", YES),
        ("According to Coast Weekly, the repairs cost 14 million euros.", NO),  # it is not they who say so
        ("According to the City Gazette (2021-03-02), the repairs cost 17 million euros.", NO),
    ],
)
def test_an_attribution_has_to_be_the_head_of_what_is_cited(said: str, support: Support) -> None:
    texts = ("The repairs cost 14 million euros, the port authority said.", "The builders speak of other sums.")
    heads = [
        {"source": "City Gazette", "published": "2021-03-02"},
        {"source": "Coast Weekly", "published": "2021-03-09"},
    ]
    found = [
        EvidenceSentence(n, Article(f"a{n}", "The bridge", text, **head), 0, 0, len(text), 1.0)
        for n, (text, head) in enumerate(zip(texts, heads, strict=True), start=1)
    ]
    asked = "How much did the repair of the bridge cost?"
    assert supporting(said, asked, [], found) == (1,)
    assert judged(said, asked, cite([(1,)], found)[0], found).support is support
