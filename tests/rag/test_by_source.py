from __future__ import annotations

import json
from collections.abc import Sequence

from index.article import Article
from prompts import Message
from rag.types import EvidenceSentence, Models, Support
from rag.by_source import MOST_ARTICLES, BySource, positions
from rag.disagreement import disagreements

COST = "How much did the repair of the bridge cost?"
GAZETTE = "The bridge reopened on Monday. The repairs of the bridge cost 14 million euros."
WEEKLY = "According to the builders, the repairs of the bridge came to 17 million euros."
NEWS = "The harbour of Westmoor has a new ferry."


def evidence(*articles: tuple[str, str, str]) -> list[EvidenceSentence]:
    """All sentences of (source, date, text), the best articles first."""
    found: list[EvidenceSentence] = []
    for rank, (source, published, text) in enumerate(articles):
        article = Article(source.lower(), f"Title of {source}", text, source=source, published=published)
        start = 0
        for position, part in enumerate(text.split(". ")):
            end = min(start + len(part) + 1, len(text))
            found.append(
                EvidenceSentence(len(found) + 1, article, position, start, end, 2.0 - rank / 10 + position / 100)
            )
            start = end + 1
    return found


class Writer:
    """Writes what a test says for the article whose text the prompt holds."""

    def __init__(self, **said: str) -> None:
        self.said = said
        self.prompts: list[str] = []

    def __call__(self, messages: Sequence[Message], max_tokens: int) -> str:
        self.prompts.append(messages[-1].content)
        return next(
            (text for name, text in self.said.items() if f"({name}" in messages[-1].content),
            "The article does not say.",
        )


def test_each_article_says_what_it_says_with_its_own_quotation_by_date() -> None:
    write = Writer(
        Weekly="The repairs came to 17 million euros, say the builders [1].", Gazette="They cost 14 million euros [2]."
    )
    found = positions(COST, evidence(("Weekly", "2021-03-09", WEEKLY), ("Gazette", "2021-03-02", GAZETTE)), write)
    assert [(p.article.source, p.newest, p.silent) for p in found] == [
        ("Gazette", False, False),
        ("Weekly", True, False),
    ]
    assert found[0].text == "They cost 14 million euros."
    assert [c.quote for c in found[0].sentences[0].citations] == ["The repairs of the bridge cost 14 million euros."]
    assert all(c.article == p.article.id for p in found for s in p.sentences for c in s.citations)
    assert found[1].sentences[0].support is Support.SUPPORTED
    assert "17 million" not in write.prompts[1], "an article was read together with another"


def test_an_article_that_does_not_say_is_silent_comes_last_and_is_still_quoted() -> None:
    found = positions(
        COST,
        evidence(("News", "2020-01-01", NEWS), ("Gazette", "2021-03-02", GAZETTE)),
        Writer(Gazette="14 million euros [2]."),
    )
    assert [(p.article.source, p.silent, p.text) for p in found] == [
        ("Gazette", False, "14 million euros."),
        ("News", True, ""),
    ]
    assert found[1].quote.quote == NEWS


def test_a_copy_counts_once_and_a_corrected_copy_stands_for_itself() -> None:
    corrected = GAZETTE.replace("14", "17")
    found = positions(
        COST,
        evidence(
            ("Gazette", "2021-03-02", GAZETTE), ("Copy", "2021-03-03", GAZETTE), ("Later", "2021-03-04", corrected)
        ),
        write := Writer(),
    )
    assert [(p.article.source, [a.source for a in p.also_in]) for p in found] == [("Gazette", ["Copy"]), ("Later", [])]
    assert len(write.prompts) == 2


def test_at_most_six_articles_are_read_and_each_is_reported() -> None:
    towns = ("Westmoor", "Elmford", "Kirkby", "Ashby", "Dunmere", "Farley", "Holt", "Ryde")
    told = [(town, "", f"The mayor of {town} wants {n + 2} new ferries.") for n, town in enumerate(towns)]
    steps: list[tuple[int, int]] = []
    assert (
        len(positions("Who wants ferries?", evidence(*told), Writer(), lambda *step: steps.append(step)))
        == MOST_ARTICLES
    )
    assert steps == [(n, MOST_ARTICLES) for n in range(MOST_ARTICLES + 1)]


def test_invented_markers_and_sentences_that_rest_on_nothing_are_dropped() -> None:
    (found,) = positions(COST, evidence(("Gazette", "", GAZETTE)), Writer(Gazette="Elephants danced on Jupiter [9]."))
    assert found.silent
    assert not found.newest


def test_without_evidence_there_are_no_positions() -> None:
    assert positions(COST, [], Writer()) == ()


def test_the_result_goes_out_as_json_and_as_markdown() -> None:
    read = evidence(("Opinion column", "2021-03-02", GAZETTE), ("Weekly", "2021-03-09", WEEKLY))
    write = Writer(
        Weekly="The builders say 17 million euros [1].", Opinion="The repairs of the bridge cost 14 million euros [2]."
    )
    whole = BySource(COST, positions(COST, read, write), disagreements(COST, read), Models("m", "e"), "p")
    text = whole.to_markdown()
    assert "- **Title of Opinion column · Opinion column · 2021-03-02** (opinion)" in text
    assert "- **Title of Weekly · Weekly · 2021-03-09** (newest)" in text
    assert "The articles differ: Opinion column" in text
    for number in range(1, len(whole.citations) + 1):
        assert f"\n[^{number}]: " in text
    row = json.loads(json.dumps(whole.to_json()))
    assert [(p["source"], p["opinion"], p["newest"]) for p in row["positions"]] == [
        ("Opinion column", True, False),
        ("Weekly", False, True),
    ]
    assert row["positions"][1]["quote"]["quote"] == WEEKLY


def test_a_position_keeps_its_hedge_and_nothing_that_its_article_does_not_carry() -> None:
    said = "Four ferries were reportedly sold. The harbour is old."
    write = Writer(Gazette="Four ferries were sold [1]. Elephants danced on Jupiter [2].")
    (found,) = positions("What was sold in the harbour?", evidence(("Gazette", "2021-03-02", said)), write)
    (sentence,) = found.sentences
    assert "report" in sentence.text.lower()
    assert [citation.number for citation in (*sentence.citations, found.quote)] in ([1, 1], [1, 2])
