from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from markdown_it import MarkdownIt

from index.article import Article
from index.times import TimeHint
from rag.cite import cite
from rag.export import escaped, markdown
from rag.models.llm import Usage
from rag.types import (
    Answer,
    AnswerSentence,
    Disagreement,
    EvidenceSentence,
    Kind,
    Models,
    Refusal,
    Support,
    Timings,
    Value,
)

SCHEMA = Path(__file__).parents[2] / "docs" / "answer.schema.json"
COST = "How much did the repair of the bridge cost?"
HOSTILE = (
    "# Title\n[^1]: forged\n![x](http://evil.example/x.png) [a](javascript:alert(1)) <script>alert(1)</script> `code` "
    "*b* _c_ | d | ~~e~~ $f$ {g} &lt; \\ http://evil.example www.evil.example a@evil.example \x1b[2J - 1. ```"
)


def evidence(*texts: str, **fields: str) -> tuple[EvidenceSentence, ...]:
    known = {"title": "The bridge", "source": "City Gazette", "author": "Ada Holm", "published": "2021-03-02"} | fields
    url = known.pop("url", "https://example.org/a")
    articles = [Article(f"a{n}", text=text, url=url, **known) for n, text in enumerate(texts, start=1)]
    return tuple(EvidenceSentence(n, a, 0, 0, len(a.text), 1 / n) for n, a in enumerate(articles, start=1))


def answer(found: tuple[EvidenceSentence, ...], *supports: Support, **changed: Any) -> Answer:
    citations = cite([[n] if s is not Support.UNSUPPORTED else [] for n, s in enumerate(supports, start=1)], found)
    sentences = tuple(
        AnswerSentence(e.text, cited, support, 0.75)
        for e, cited, support in zip(found, citations, supports, strict=False)
    )
    made = Answer(
        COST, COST, " ".join(s.text for s in sentences), sentences, False, 0.9, found,
        Timings(1, 2, 3, 4), Usage(5, 6, 7), Models("paper", "paper"), "0", 0,
    )  # fmt: skip
    return replace(made, **changed)


def differing(found: tuple[EvidenceSentence, ...], update: bool = False) -> tuple[Disagreement, ...]:
    """One disagreement, in which each of the sentences is a value."""
    values = (
        Value(e.text, e.article.id, e.article.title, e.article.source, e.article.published, e.number) for e in found
    )
    return (Disagreement(tuple(values), update),)


THIS_WEEK = TimeHint("this week", date(2024, 5, 20), date(2024, 5, 26))
FOURTEEN, SEVENTEEN = "The repairs cost 14 million euros.", "The repairs cost 17 million euros."


def test_a_footnote_gives_title_source_author_date_address_and_quotation() -> None:
    text = markdown(answer(evidence(FOURTEEN), Support.SUPPORTED))
    assert f"{FOURTEEN}[^1]\n" in text
    assert (
        "[^1]: The bridge · City Gazette · Ada Holm · 2021-03-02 · <https://example.org/a>: "
        "“The repairs cost 14 million euros.”\n"
    ) in text


def test_what_is_not_known_is_left_out_and_an_opinion_is_named() -> None:
    found = evidence(FOURTEEN, source="", author="", published="", url="javascript:alert(1)", title="Opinion: Pay")
    assert "[^1]: Opinion: Pay (opinion): “" in markdown(answer(found, Support.SUPPORTED))


def test_doubtful_sentences_and_disagreements_are_marked() -> None:
    found = evidence(FOURTEEN, SEVENTEEN)
    made = answer(found, Support.PARTIAL, Support.UNSUPPORTED, disagreements=differing(found))
    text = markdown(made)
    assert f"{FOURTEEN}[^1] *(only partly supported by the articles)*" in text
    assert f"{SEVENTEEN} *(not supported by the articles)*" in text
    says = "City Gazette \\(2 March 2021\\): “The repairs cost {} million euros.”"
    assert f"The articles differ: {says.format(14)}; {says.format(17)}\n" in text
    later = markdown(replace(made, disagreements=differing(found, update=True)))
    assert f"A later article says otherwise: {says.format(14)}; {says.format(17)}\n" in later


def test_a_hostile_disagreement_stays_text() -> None:
    differ = differing(evidence(HOSTILE, source=HOSTILE))
    text = markdown(answer(evidence(FOURTEEN), Support.SUPPORTED, disagreements=differ))
    assert "<script" not in text
    assert "http://evil" not in text


def test_a_declined_answer_lists_the_nearest_passages() -> None:
    found = evidence(FOURTEEN, SEVENTEEN)
    text = markdown(answer(found, declined=True, text="The articles do not say."))
    assert "The articles do not say." in text
    assert "- “The repairs cost 14 million euros.” — The bridge · City Gazette · Ada Holm · 2021-03-02" in text
    assert "[^" not in text


def test_a_declined_answer_says_why_and_what_to_ask_instead() -> None:
    refusal = Refusal("None of the articles mentions “Elmford”.", (f"What does “{HOSTILE}” say?", "What does “A” say?"))
    text = markdown(answer(evidence(FOURTEEN), declined=True, text="The articles do not say.", refusal=refusal))
    assert "None of the articles mentions “Elmford”." in text
    assert "What could be asked instead:\n\n- What does “\\# Title" in text
    assert "\n- What does “A” say?\n" in text
    assert "<script" not in text


def test_the_passages_of_a_declined_answer_are_the_three_most_relevant() -> None:
    found = tuple(replace(e, score=float(e.number)) for e in evidence("One.", "Two.", "Three.", "Four."))
    text = markdown(answer(found, declined=True, text="None of the articles says that."))
    assert [line[2:].split(" —")[0] for line in text.splitlines() if line.startswith("- “")] == [
        "“Four.”",
        "“Three.”",
        "“Two.”",
    ]


def test_a_list_has_a_line_for_each_article_under_its_text() -> None:
    found = evidence(FOURTEEN, SEVENTEEN)
    text = markdown(answer(found, Support.SUPPORTED, Support.SUPPORTED, text="2 articles:", kind=Kind.LIST))
    assert f"\n\n2 articles:\n\n- {FOURTEEN}[^1]\n- {SEVENTEEN}[^2]\n\n[^1]: " in text


def test_small_talk_is_only_its_line() -> None:
    assert markdown(answer((), text="Ask me.", kind=Kind.TALK)) == f"**{COST}**\n\nAsk me.\n"


def test_hostile_texts_stay_text() -> None:
    found = evidence(HOSTILE, title=HOSTILE, source=HOSTILE, author=HOSTILE, url="https://example.org/a>b c\n[^2]: x")
    text = markdown(answer(found, Support.SUPPORTED, question=HOSTILE))
    blocks = MarkdownIt("js-default", {"linkify": False}).parse(text)
    tokens = [token for block in blocks for token in [block, *(block.children or [])]]
    marked_up = "image code_inline em_open s_open html_inline html_block heading_open fence table_open"
    assert not {token.type for token in tokens} & set(marked_up.split())
    links = {str(t.attrs["href"]) for t in tokens if t.type == "link_open"}
    assert all(link.startswith("https://example.org/a%3Eb%20c") for link in links)
    assert [line for line in text.splitlines() if line.startswith("[^")] == [text.splitlines()[-1]]
    assert "http://evil" not in text
    assert "www.evil" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "text", ["1. first", "- item", "# head", "> quote", "+ plus", "=====", "12) twelve", "a\n\nb", "::: x"]
)
def test_an_escaped_text_is_one_plain_paragraph(text: str) -> None:
    blocks = MarkdownIt().parse(escaped(text))
    assert [block.type for block in blocks] == ["paragraph_open", "inline", "paragraph_close"]
    shown = "".join(token.content for token in blocks[1].children or [])
    assert shown == " ".join(text.split())


def test_an_answer_from_before_the_days_that_are_meant_says_so() -> None:
    old = answer(evidence(FOURTEEN, published="2021-03-02"), Support.SUPPORTED, when=THIS_WEEK)
    assert "What is quoted came out before that: 2 March 2021 at the latest." in markdown(old)
    assert old.to_json()["time"]["outdated"] == "2021-03-02"
    current = answer(evidence(FOURTEEN, published="2024-05-21"), Support.SUPPORTED, when=THIS_WEEK)
    assert "came out before" not in markdown(current)


@pytest.mark.parametrize(
    ("published", "outdated"),
    [
        ("2024-05-16", "2024-05-16"),
        ("2024-05-17", ""),  # three days before, it may announce
        ("2024-05", ""),  # some day of that month
        ("2024-04", "2024-04"),
        ("2023", "2023"),
        ("2030-01-01", ""),  # later articles look back
        ("", ""),  # nobody knows
    ],
)
def test_outdated_is_only_what_surely_came_out_before(published: str, outdated: str) -> None:
    found = evidence(FOURTEEN, published=published)
    assert answer(found, Support.SUPPORTED, when=THIS_WEEK).outdated == outdated
    assert not answer(found, Support.SUPPORTED).outdated
    assert not answer(found, when=THIS_WEEK).outdated, "nothing is quoted"
    assert not answer(found, Support.SUPPORTED, when=TimeHint("as of 2024", None, date(2024, 12, 31))).outdated


def test_one_current_or_undated_article_is_enough_not_to_be_outdated() -> None:
    old, *_ = evidence(FOURTEEN, published="2021-03-02")
    for published in ("2024-05-21", "2024", ""):
        other = replace(old, number=2, article=replace(old.article, id="a2", published=published))
        assert not answer((old, other), Support.SUPPORTED, Support.SUPPORTED, when=THIS_WEEK).outdated
    month = replace(old, number=2, article=replace(old.article, id="a2", published="2021-03"))
    both = answer((old, month), Support.SUPPORTED, Support.SUPPORTED, when=THIS_WEEK)
    assert both.outdated == "2021-03", "some day of that month may be the newest"
    assert answer((old,), Support.SUPPORTED, when=TimeHint("in year 1", date.min, date.min)).outdated == ""


def test_what_is_to_come_has_no_articles_yet() -> None:
    found = evidence(FOURTEEN, published="2024-05-01")
    assert answer(found, Support.SUPPORTED, when=THIS_WEEK, asked="2024-05-26").outdated
    assert not answer(found, Support.SUPPORTED, when=THIS_WEEK, asked="2024-05-12").outdated


@pytest.fixture
def check() -> Callable[[Any], None]:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    return validator.validate


@pytest.mark.parametrize(
    "made",
    [
        answer(evidence(FOURTEEN), Support.SUPPORTED),
        answer(evidence(FOURTEEN, SEVENTEEN), Support.PARTIAL, Support.UNSUPPORTED),
        answer(evidence(FOURTEEN, author="", published="", url="", source=""), Support.SUPPORTED),
        answer(evidence(FOURTEEN), declined=True, sentences=(), timings=Timings(1, 2, None, 3)),
        answer((), declined=True, confidence=0.0),
        answer((), text="Ask me.", kind=Kind.TALK),
        answer(evidence(FOURTEEN), when=TimeHint("since 2021", date(2021, 1, 1), None)),
        answer(evidence(FOURTEEN), Support.SUPPORTED, when=THIS_WEEK),
        answer(
            evidence(FOURTEEN, SEVENTEEN),
            Support.SUPPORTED,
            disagreements=differing(evidence(FOURTEEN, SEVENTEEN)),
        ),
        answer(
            evidence(FOURTEEN),
            declined=True,
            sentences=(),
            refusal=Refusal("None of the articles says who paid.", ("Summarise the article “The bridge”.",)),
            removed=("None of the articles says who paid.",),
            read=(1,),
        ),
    ],
)
def test_every_kind_of_answer_fits_the_published_schema(made: Answer, check: Callable[[Any], None]) -> None:
    check(json.loads(json.dumps(made.to_json())))


def test_the_schema_allows_no_key_that_it_does_not_describe_and_misses_none(check: Callable[[Any], None]) -> None:
    whole = answer(evidence(FOURTEEN), Support.SUPPORTED).to_json()
    for name in whole:
        with pytest.raises(jsonschema.ValidationError):
            check({key: value for key, value in whole.items() if key != name})
    with pytest.raises(jsonschema.ValidationError):
        check({**whole, "more": 1})
    with pytest.raises(jsonschema.ValidationError):
        check({**whole, "sentences": [{**whole["sentences"][0], "support": "certain"}]})
