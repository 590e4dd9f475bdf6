"""An assistant made of paper, for testing the page: fixed articles, an answer at a visible pace.

`python -m tests.ui.fake_assistant` serves the page with it.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

from index.article import Article
from index.errors import ModelError, UnknownArticle
from index.ledger import ArticleRow
from rag.assistant import Answered, Event, EvidenceFound, Queued, TextAdded
from rag.models.llm import Usage
from rag.types import (
    Answer,
    AnswerSentence,
    Citation,
    EvidenceSentence,
    Models,
    Refusal,
    Support,
    Timings,
    Turn,
)
from ui.site import listen, serve

_FILLER = (
    "The harbour authority met on Tuesday to hear the engineers. Their report runs to 140 pages. "
    "Members asked about the cost of dredging and the state of the north quay.\n\n"
)
HARBOUR = Article(
    id="harbour",
    title="Council closes the old harbour to freight",
    source="The Coast Courier",
    author="Mira Adeyemi",
    published="2024-03-05",
    url="https://example.org/harbour",
    note="",
    text=_FILLER * 9 + "The council voted 7–2 to close the old harbour to freight from 1 July 2024. "
    "Ferries will keep using the south pier until a new terminal opens.\n\n" + _FILLER * 9,
)
FERRY = Article(
    id="ferry",
    title="Ferry line welcomes a quieter pier",
    source="Tidewater Weekly",
    author="",
    published="2024-03",
    url="",
    note="Corrected on 9 March: an earlier version misnamed the pier.",
    text="# Ferry line\n\nThe ferry line said it had asked for the closure since 2021. "
    "Its director called the vote “overdue”.",
)
HOSTILE_TEXT = (
    "<img src=x onerror=alert('article')> <script>alert('article')</script> "
    "![x](http://evil.example/x.png) [3] ${alert('tpl')} {{constructor}} </q></button></aside>"
)
HOSTILE = Article(
    id='"><img src=x onerror=alert(1)>',
    title="<b onmouseover=alert('t')>Bold</b> <script>alert('t')</script>",
    source="<i>src</i>",
    author="![a](http://evil.example/a.png)",
    published="<u>2024</u>",
    url="javascript:alert('url')",
    note="<svg onload=alert('note')>",
    text=f"Before. {HOSTILE_TEXT} After.",
)
ARTICLES = {article.id: article for article in (HARBOUR, FERRY, HOSTILE)}


def _sentence(number: int, article: Article, quote: str) -> EvidenceSentence:
    start = article.text.index(quote)
    return EvidenceSentence(number, article, number, start, start + len(quote), 1.0 / number)


CLOSED = _sentence(1, HARBOUR, "The council voted 7–2 to close the old harbour to freight from 1 July 2024.")
FERRIES = _sentence(2, HARBOUR, "Ferries will keep using the south pier until a new terminal opens.")
OVERDUE = _sentence(3, FERRY, "Its director called the vote “overdue”.")
ASKED = _sentence(4, FERRY, "The ferry line said it had asked for the closure since 2021.")
EVIDENCE = (CLOSED, OVERDUE, FERRIES, ASKED)
NASTY = _sentence(1, HOSTILE, HOSTILE_TEXT)


def _citation(number: int, found: EvidenceSentence) -> Citation:
    article = found.article
    return Citation(
        number, article.id, article.title, article.source, article.author, article.published,
        article.url, (f"{article.id}:{found.sentence}",), found.start, found.end, found.text,
    )  # fmt: skip


def _harbour(question: str) -> Answer:
    first, second, third = _citation(1, CLOSED), _citation(2, FERRIES), _citation(3, OVERDUE)
    return _answer(
        question,
        (
            AnswerSentence(
                "The council voted 7–2 to close the old harbour to freight from 1 July 2024.",
                (first,),
                Support.SUPPORTED,
            ),
            AnswerSentence(
                "Ferries stay at the south pier, and the ferry line called the vote overdue.",
                (second, third),
                Support.SUPPORTED,
            ),
            AnswerSentence("The new terminal is to open before the closure.", (second,), Support.PARTIAL),
            AnswerSentence("Residents were relieved.", (), Support.UNSUPPORTED),
        ),
        EVIDENCE,
    )


def _answer(
    question: str,
    sentences: tuple[AnswerSentence, ...],
    evidence: tuple[EvidenceSentence, ...],
    *,
    declined: bool = False,
) -> Answer:
    return Answer(
        question=question,
        standalone=question,
        text=" ".join(sentence.text for sentence in sentences),
        sentences=sentences,
        declined=declined,
        confidence=0.8,
        evidence=evidence,
        timings=Timings(140.0, 310.0, 2100.0, 5300.0),
        usage=Usage(900, 400, 40),
        models=Models("paper", "paper"),
        prompt="0",
        invented_markers=0,
        read=(1, 2, 3),
    )


class FakeAssistant:
    """Answers by keyword; counts the streams that were opened and closed.

    Args:
        pace: how long its pauses are, as a share of what a reader can follow; 0 for none.
    """

    def __init__(self, pace: float = 1.0) -> None:
        self.pace = pace
        self.opened = 0
        self.closed = 0
        self.histories: list[tuple[Turn, ...]] = []

    def stream(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        asked: str = "",
        stop: threading.Event | None = None,
    ) -> Generator[Event, None, None]:
        self.opened += 1
        self.histories.append(tuple(history))
        try:
            yield from self._events(question)
        finally:
            self.closed += 1

    def article(self, article_id: str) -> Article:
        if article_id not in ARTICLES:
            raise UnknownArticle(f"No article has the id {article_id!r}.")
        return ARTICLES[article_id]

    def articles(self) -> list[ArticleRow]:
        return [
            ArticleRow(a.id, a.title, a.source, a.author, a.published, a.url, a.origin, 2) for a in ARTICLES.values()
        ]

    def _events(self, question: str) -> Generator[Event, None, None]:
        if "unknown" in question:
            yield EvidenceFound(EVIDENCE[:2], 300.0)
            time.sleep(0.3 * self.pace)
            yield Answered(self._declined(question))
        elif "hostile" in question:
            yield from self._hostile(question)
        elif "break" in question:
            yield EvidenceFound(EVIDENCE, 300.0)
            yield TextAdded("The council voted ")
            raise ModelError("the model <b>tripped</b> <img src=x onerror=alert(2)>")
        elif "endless" in question:
            yield EvidenceFound(EVIDENCE, 300.0)
            for word in range(10_000):
                time.sleep(0.03 * self.pace)
                yield TextAdded(f"word{word} [1] ")
        elif "queued" in question:
            yield EvidenceFound(EVIDENCE, 300.0)
            yield Queued(2)
            time.sleep(2 * self.pace)
            yield from self._plain(question)
        elif "stuck" in question:
            yield EvidenceFound(EVIDENCE, 300.0)
            time.sleep(4 * self.pace)
        else:
            yield from self._plain(question)

    def _plain(self, question: str) -> Generator[Event, None, None]:
        time.sleep(0.2 * self.pace)
        yield EvidenceFound(EVIDENCE, 300.0)
        time.sleep(0.6 * self.pace)
        text = (
            "The council voted 7–2 to close the old harbour to freight from 1 July 2024 [1][99]. "
            "Ferries stay at the south pier, and the ferry line called the vote overdue [2, 3]."
        )
        for piece in re.findall(r"\S+\s*|\s+", text):
            time.sleep(0.07 * self.pace)
            yield TextAdded(piece)
        yield Answered(_harbour(question))

    def _hostile(self, question: str) -> Generator[Event, None, None]:
        yield EvidenceFound((NASTY,), 10.0)
        for piece in (HOSTILE_TEXT[:40], HOSTILE_TEXT[40:]):
            time.sleep(0.2 * self.pace)
            yield TextAdded(piece)
        sentence = AnswerSentence(HOSTILE_TEXT, (_citation(1, NASTY),), Support.SUPPORTED)
        yield Answered(_answer(question, (sentence,), (NASTY,)))

    def _declined(self, question: str) -> Answer:
        refusal = Refusal("None of the articles says that.", (f"Summarise the article “{HARBOUR.title}”.",))
        declined = _answer(question, (), EVIDENCE[:2], declined=True)
        return replace(declined, text=refusal.reason, refusal=refusal)


if __name__ == "__main__":
    with listen("127.0.0.1", 0) as listening:
        assistant: Any = FakeAssistant()
        serve(assistant, listening)
