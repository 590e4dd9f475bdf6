"""What kinds of answers look like in a terminal and on the page, without a browser."""

from __future__ import annotations

import re
from dataclasses import replace

import click
import pytest

from index.article import Article
from rag.assistant import Answered
from rag.types import Answer, Disagreement, EvidenceSentence, Kind, Refusal, Value
from tests.ui.fake_assistant import FakeAssistant
from ui.render import answer_html
from ui.terminal import Form, present

HOSTILE = "<script>alert(1)</script> costs 17 million"


def answered(question: str = "What did the council decide about the old harbour?") -> Answer:
    *_, found = FakeAssistant(pace=0).stream(question)
    assert isinstance(found, Answered)
    return found.answer


def printed(answer: Answer) -> str:
    return click.unstyle(present(answer, Form.TEXT))


def words(html: str) -> str:
    """What a reader sees, without tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def value(text: str, source: str, published: str) -> Value:
    return Value(text, source.lower(), f"Title of {source}", source, published, 1)


def test_a_refusal_is_said_once_with_its_reason_and_what_to_ask_instead() -> None:
    declined = answered("something unknown")
    reason = "None of the articles says who paid for it."
    declined = replace(declined, refusal=Refusal(reason, ("Summarise the article “Ferry line”.",)))
    for shown in (printed(declined), words(answer_html(declined))):
        assert shown.count("None of the articles") == 1
        assert reason in shown
        assert "Summarise the article “Ferry line”." in shown
    bare = replace(declined, text="None of the articles says that.", refusal=None)
    for shown in (printed(bare), words(answer_html(bare))):
        assert shown.count("None of the articles says that.") == 1


def test_the_passages_of_a_refusal_are_the_most_relevant() -> None:
    article = Article("many", "Many", " ".join(f"Sentence {n} of many." for n in range(1, 9)))
    length = len("Sentence 1 of many.")
    places = [(n, (n - 1) * (length + 1)) for n in range(1, 9)]
    found = tuple(EvidenceSentence(n, article, n, at, at + length, float(n)) for n, at in places)
    declined = replace(answered("something unknown"), evidence=found)
    page, terminal = answer_html(declined), printed(declined)
    for n in range(1, 9):
        assert (f"Sentence {n} of many." in page) == (n > 3), "five of eight"
        assert (f"Sentence {n} of many." in terminal) == (n > 5), "three of eight"


@pytest.mark.parametrize(
    ("update", "heading"), [(False, "The articles differ"), (True, "A later article says otherwise")]
)
def test_what_articles_say_differently_is_told_in_their_own_sentences(update: bool, heading: str) -> None:
    values = (value("The repair costs 14 million.", "Gazette", "2021-03-02"), value(HOSTILE, "Weekly", "2021-03-09"))
    answer = replace(answered(), disagreements=(Disagreement(values, update),))
    told = f"{heading}: Gazette (2 March 2021): “The repair costs 14 million.”; Weekly (9 March 2021): “{HOSTILE}”"
    assert told in printed(answer)
    page = answer_html(answer)
    assert "<script>" not in page
    assert told.replace("<", "&lt;").replace(">", "&gt;") in page
    assert heading not in printed(replace(answer, disagreements=()))


def test_a_list_stands_under_its_text_and_small_talk_alone() -> None:
    sentences = answered().sentences[:2]
    listed = replace(answered(), kind=Kind.LIST, text="2 articles:", sentences=sentences)
    lines = printed(listed).splitlines()
    assert lines[0] == "2 articles:"
    assert lines[1].startswith(sentences[0].text)
    assert lines[2].startswith(sentences[1].text)
    page = answer_html(listed)
    assert re.search(r"2 articles:<ul><li>.*council voted.*</li><li>", page)
    assert "Rests on" in page
    talk = replace(answered(), kind=Kind.TALK, text="Ask me something.", sentences=(), evidence=(), read=())
    assert printed(talk) == "Ask me something.\n"
    assert "<ul>" not in answer_html(talk)
    assert "Rests on" not in answer_html(talk)
