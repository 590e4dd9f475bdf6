"""Questions proposed by the LLM from the user's own articles, for a person to accept or mend.

Code picks the sentences and checks what the model makes of them; a person decides. What is written here counts for
nothing until somebody has set `reviewed` to true (evals/gold.py refuses it before).
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.gold import GoldQuestion, GoldSentence, Kind, row_line, to_row
from index.article import Article, Span
from index.errors import GoldError
from index.sentences import split_sentences
from index.words import content_words, words
from prompts import Write, render

_TOKENS = 100  # a question and a short answer
_TRIES = 3  # sentences tried for each question that is wanted
_LENGTHS = range(8, 46)  # words of a sentence that is worth a question: no headings, no lists
_MOST_ANSWER_WORDS = 10  # a longer answer is no fact that other words could state as well
_LEAST_CONTENT_WORDS = 2  # of a question; with fewer it could be about anything

_BOILERPLATE = re.compile(
    r"\b(all rights reserved|copyright|©|cookies?|subscri(be|ption)|newsletter|sign (up|in)|log in|click|read more|"
    r"follow us|advertisement|terms of (use|service)|privacy policy|https?://|www\.)",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<![.!?“\"] )(?<!^)\b[A-Z][\w’'-]+")
_NUMBER = re.compile(r"\b\d[\d.,]*\b")
_QUOTATION = re.compile(r"[“\"«][^”\"»]{8,}[”\"»]")
_POINTS_AT_ITSELF = re.compile(r"\b(this|that|the) (passage|article|text|author)\b", re.IGNORECASE)
_PROPOSAL = re.compile(r"^Question:[ \t]*(\S.*)\n+Answer:[ \t]*(\S.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Draft:
    """What the model made of one sentence: a question, or None and why its proposal was dropped."""

    sentence: GoldSentence
    question: GoldQuestion | None
    dropped: str


@dataclass(frozen=True, slots=True)
class Drafted:
    """How many proposals were written to a file, and how many were dropped."""

    written: int
    dropped: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A sentence to ask about: the last of `spans`; before it the sentence that it follows in its paragraph, if any."""

    article: Article
    spans: tuple[Span, ...]

    @property
    def passage(self) -> str:
        return " ".join(self.article.text[self.spans[0].start : self.spans[-1].end].split())

    @property
    def sentences(self) -> tuple[GoldSentence, ...]:
        return tuple(
            GoldSentence(self.article.id, span.start, span.end, self.article.text[span.start : span.end])
            for span in self.spans
        )


def draft(articles: Iterable[Article], write: Write, n: int) -> Iterator[Draft]:
    """Propose questions about informative sentences, spread over the articles; the same every time.

    Args:
        write: gets the messages and the most tokens to write, and returns what the model wrote.
        n: how many usable questions are wanted. At most 3 n sentences are tried.

    Yields:
        every try, dropped ones too, until there are n questions or no more sentences.

    Raises:
        ModelError: the model can't be used.
    """
    asked: set[tuple[str, ...]] = set()
    for candidate in itertools.islice(_candidates(articles), _TRIES * n):
        tried = _try(candidate, write, asked)
        yield tried
        if tried.question:
            asked.add(tuple(words(tried.question.question)))
            if len(asked) == n:
                return


def write_drafts(path: Path, drafts: Iterable[Draft]) -> Drafted:
    """Write drafts to a new file as they come, to be reviewed; what was written stays if the model is stopped.

    Raises:
        GoldError: the file exists already (somebody may have reviewed it), or can't be written.
    """
    written = dropped = 0
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            for each in drafts:
                if each.question:
                    file.write(row_line(draft_row(each.question)))
                    file.flush()
                    written += 1
                else:
                    dropped += 1
    except FileExistsError as error:
        raise GoldError(f"{path} exists; drafts never replace what may have been reviewed. Name a new file.") from error
    except OSError as error:
        raise GoldError(f"{path} can't be written: {error.strerror or error}.") from error
    return Drafted(written, dropped)


def draft_row(question: GoldQuestion) -> dict[str, Any]:
    """The question as a row that `read_gold` names as not reviewed yet."""
    return {"reviewed": False, **to_row(question)}


def _candidates(articles: Iterable[Article]) -> Iterator[_Candidate]:
    """The best sentence of every article, then the second best of every article, and so on."""
    # By hash: an order without a meaning, so that a few of many articles are a fair sample of them.
    ordered = sorted(articles, key=lambda article: hashlib.sha256(article.id.encode()).digest())
    waiting = [_ranked(article) for article in ordered]
    while waiting:
        still = []
        for sentences in waiting:
            if candidate := next(sentences, None):
                yield candidate
                still.append(sentences)
        waiting = still


def _ranked(article: Article) -> Iterator[_Candidate]:
    """The article's informative sentences, best first; the neighbour of one already given is passed over."""
    spans = split_sentences(article.text)
    scores = [_informative(article.text[span.start : span.end]) for span in spans]
    given: set[int] = set()
    for n in sorted(range(len(spans)), key=lambda n: (-scores[n], n)):
        if scores[n] > 0 and not given & {n - 1, n, n + 1}:
            given.add(n)
            follows = n > 0 and "\n" not in article.text[spans[n - 1].end : spans[n].start]
            yield _Candidate(article, tuple(spans[n - 1 : n + 1] if follows else spans[n : n + 1]))


def _informative(sentence: str) -> int:
    """How many names, numbers and quotations a sentence holds; 0 for what is no statement of the article."""
    if len(sentence.split()) not in _LENGTHS or sentence[-1] not in ".!”\"»’'" or _BOILERPLATE.search(sentence):
        return 0
    found = (min(3, len(pattern.findall(sentence))) for pattern in (_NAME, _NUMBER, _QUOTATION))
    return sum(found)


def _try(candidate: _Candidate, write: Write, asked: set[tuple[str, ...]]) -> Draft:
    sentence = candidate.sentences[-1]
    prompt = render("draft", title=" ".join(candidate.article.title.split()), passage=candidate.passage)
    match = _PROPOSAL.search(write(prompt, _TOKENS))
    if not match:
        return Draft(sentence, None, "the model wrote no question with an answer")
    question, answer = match.group(1).strip(), match.group(2).strip().rstrip(".").strip("“”\"' ")
    if fault := _fault(question, answer, candidate.passage, asked):
        return Draft(sentence, None, fault)
    return Draft(sentence, _question(question, answer, candidate), "")


def _fault(question: str, answer: str, passage: str, asked: set[tuple[str, ...]]) -> str:
    """Why a proposal can't be used; "" where nothing speaks against it."""
    if not words(answer) or len(words(answer)) > _MOST_ANSWER_WORDS:
        return f"the answer has {len(words(answer))} words; a fact has 1 to {_MOST_ANSWER_WORDS}"
    if not _holds(passage, answer):
        return "the answer does not stand in the passage"
    if _holds(question, answer):
        return "the question holds its answer"
    if not question.endswith("?") or len(content_words(question)) < _LEAST_CONTENT_WORDS:
        return "the question says too little to be asked alone"
    if _POINTS_AT_ITSELF.search(question):
        return "the question asks about the text and not about what it says"
    return "the question was proposed already" if tuple(words(question)) in asked else ""


def _holds(text: str, answer: str) -> bool:
    return f" {' '.join(words(answer))} " in f" {' '.join(words(text))} "


def _question(question: str, answer: str, candidate: _Candidate) -> GoldQuestion:
    holding = tuple(sentence for sentence in candidate.sentences if _holds(sentence.quote, answer))
    return GoldQuestion(
        id=f"draft-{candidate.article.id}-{candidate.sentences[-1].start}",
        kind=Kind.FACT,
        question=question,
        history=(),
        asked="",
        answerable=True,
        answers=(answer,),
        must=(),
        gold=holding or candidate.sentences,  # an answer may run over the full stop
        tags=("draft",),
    )
