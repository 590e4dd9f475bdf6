"""`dateline bench`: how fast this machine embeds, reads, writes and answers, beside LlamaIndex's quickstart.

Both sides use the same embedder, model, server and articles and take turns, so that what else the machine does falls
on both: quote the ratios, not the seconds. The quickstart is what LlamaIndex's first page shows: chunks of 1,024
tokens, embedded by sentence-transformers, the two nearest put before the model.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from evals.gold import Kind, read_gold
from evals.quickstart import embedding
from evals.statistics import median
from index.article import Article
from index.console import Progress, safe
from index.embedding import Embedder
from index.errors import ConfigError
from index.reading import find_files, read_file
from index.search import Index
from index.settings import Settings, load_settings
from rag.assistant import Answered, Assistant, TextAdded
from rag.types import Answer

_HERE = Path(__file__).parent
_CORPUS = _HERE.parent / "seeds" / "articles"
_GOLD = _HERE / "gold" / "seeds.jsonl"
_COPIES = 10  # of each article that are added
_ROUNDS = 3  # of adding the corpus, after one that warms up
_QUICKSTART_TOKENS = 256  # what the quickstart may write, LlamaIndex's default
_READ_BY_MINILM = 256  # word pieces of a text that the embedder reads; the quickstart's longer chunks lose the rest

Step = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Pair:
    """The same work by both, in seconds, run by run; `ratio` is the median of how many times as fast Dateline was."""

    what: str
    dateline: tuple[float, ...]
    quickstart: tuple[float, ...]

    @property
    def ratio(self) -> float:
        return median([theirs / ours for ours, theirs in zip(self.dateline, self.quickstart, strict=True)])


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured: medians of this machine, and the pairs, if the quickstart was asked too."""

    cpu: str
    load: float
    native: bool
    chunks_per_second: float
    pieces_per_second: float
    read_per_second: float
    written_per_second: float
    evidence_ms: float
    first_word_ms: float
    answer_ms: float
    again_ms: float
    questions: int
    pairs: tuple[Pair, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "pairs": [{**asdict(pair), "ratio": pair.ratio} for pair in self.pairs]}

    def lines(self) -> Iterator[str]:
        yield f"{self.cpu}; load {self.load:.1f}; {'a native build' if self.native else 'the wheel'} of llama.cpp"
        yield f"embedding and recording  {self.chunks_per_second:8.1f} chunks/s, {self.pieces_per_second:,.0f} pieces/s"
        yield f"the model reads          {self.read_per_second:8.1f} tokens/s"
        yield f"the model writes         {self.written_per_second:8.1f} tokens/s"
        yield f"evidence                 {self.evidence_ms:8.0f} ms (median of {self.questions} questions)"
        yield f"first word               {self.first_word_ms:8.0f} ms"
        yield f"whole answer             {self.answer_ms:8.0f} ms"
        yield f"first word, asked again  {self.again_ms:8.0f} ms"
        for pair in self.pairs:
            yield (
                f"{pair.what + ' beside LlamaIndex':40} {pair.ratio:5.2f} times as fast "
                f"({median(pair.dateline):.2f} s, {median(pair.quickstart):.2f} s, n = {len(pair.dateline)})"
            )


def measure(settings: Settings, corpus: Path, questions: Sequence[str], peers: bool, step: Step) -> Speed:
    """Add a corpus and ask it questions, alone or in turn with LlamaIndex's quickstart."""
    with tempfile.TemporaryDirectory() as folder:
        load = os.getloadavg()[0]
        many = _copied(corpus, Path(folder) / "many")
        added, theirs, pieces, chunks = [], [], 0, 0
        for n in range(_ROUNDS + 1):
            step("adding", n, _ROUNDS + 1)
            seconds, pieces, chunks = _add(dataclasses.replace(settings, home=Path(folder) / str(n)), many)
            added.append(seconds)
            if peers:
                theirs.append(_quickstart_add(many))
        added, theirs = added[1:], theirs[1:]  # the first round loads what is loaded once
        with Assistant(dataclasses.replace(settings, home=Path(folder) / "asked")) as assistant:
            assistant.index.add([corpus])
            assistant.start()
            asked = _ask(assistant, questions, corpus if peers else None, step)
        adding = Pair("adding, per word piece", tuple(added), tuple(s * pieces / p for s, p in theirs))
        answers = [each.answer for each in asked]
        return Speed(
            cpu=_cpu(), load=load, native=assistant.llm.local_server.is_native,
            chunks_per_second=chunks / median(added), pieces_per_second=pieces / median(added),
            read_per_second=median([_read(a) for a in answers]),
            written_per_second=median([_written(a) for a in answers]),
            evidence_ms=median([a.timings.evidence_ms for a in answers]),
            first_word_ms=median([a.timings.first_word_ms or 0.0 for a in answers]),
            answer_ms=median([a.timings.total_ms for a in answers]),
            again_ms=median([each.again_ms for each in asked]), questions=len(asked),
            pairs=(adding, *_answer_pairs(asked)) if peers else (),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Asked:
    answer: Answer
    again_ms: float
    theirs: tuple[float, float]  # seconds to the quickstart's first word and to its last


def _ask(assistant: Assistant, questions: Sequence[str], corpus: Path | None, step: Step) -> list[_Asked]:
    quickstart = _Quickstart(assistant, corpus) if corpus else None
    assistant.ask(questions[0])  # loads what is loaded once
    asked = []
    for n, question in enumerate(questions[1:]):
        step("asking", n, len(questions) - 1)
        theirs = quickstart.ask(question) if quickstart else (0.0, 0.0)
        answer = assistant.ask(question)
        if not answer.read or not answer.usage.completion_tokens:
            continue  # declined before it was read: nothing to compare
        asked.append(_Asked(answer, _first_word(assistant, question), theirs))
    if not asked:
        raise click.ClickException("None of the questions was answered from this corpus; give others.")
    return asked


def _first_word(assistant: Assistant, question: str) -> float:
    begun, first = time.perf_counter(), 0.0
    for event in assistant.stream(question):
        if isinstance(event, TextAdded | Answered) and not first:
            first = (time.perf_counter() - begun) * 1000
    return first


def _answer_pairs(asked: Sequence[_Asked]) -> Iterator[Pair]:
    first = tuple((each.answer.timings.first_word_ms or 0.0) / 1000 for each in asked)
    yield Pair("first word", first, tuple(each.theirs[0] for each in asked))
    whole = tuple(each.answer.timings.total_ms / 1000 for each in asked)
    yield Pair("whole answer", whole, tuple(each.theirs[1] for each in asked))


def _read(answer: Answer) -> float:
    timings = answer.timings
    seconds = ((timings.first_word_ms or 0.0) - timings.evidence_ms) / 1000
    return (answer.usage.prompt_tokens - answer.usage.cached_tokens) / max(seconds, 1e-3)


def _written(answer: Answer) -> float:
    seconds = (answer.timings.total_ms - (answer.timings.first_word_ms or 0.0)) / 1000
    return answer.usage.completion_tokens / max(seconds, 1e-3)


def _copied(corpus: Path, folder: Path) -> Path:
    """The articles of a small corpus many times over, each copy with a first line of its own."""
    folder.mkdir()
    for article in _articles(corpus).values():
        for n in range(_COPIES):
            text = f"Copy {n} of {article.title}.\n\n{article.text}"
            (folder / f"{article.id}-{n}.txt").write_text(text, encoding="utf-8")
    return folder


def _add(settings: Settings, corpus: Path) -> tuple[float, int, int]:
    """Seconds of adding the corpus to a new home, word pieces and chunks that were embedded."""
    begun = time.perf_counter()
    with Index.open(settings) as index:
        summary = index.add([corpus])
        seconds = time.perf_counter() - begun
        pieces = sum(len(index.embedder.piece_offsets(index.article(row.id).text)) for row in index.articles())
    return seconds, pieces, summary.chunks


def _quickstart_add(corpus: Path) -> tuple[float, int]:
    """Seconds of LlamaIndex's `VectorStoreIndex.from_documents`, and the word pieces that were embedded."""
    begun = time.perf_counter()
    index = _from_documents(corpus)
    seconds = time.perf_counter() - begun
    counter = Embedder()
    texts = [node.get_content("embed") for node in index.docstore.docs.values()]
    return seconds, sum(min(_READ_BY_MINILM, len(counter.piece_offsets(text))) for text in texts)


def _from_documents(corpus: Path) -> Any:
    from llama_index.core import Document, VectorStoreIndex

    documents = [Document(text=article.text) for article in _articles(corpus).values()]
    return VectorStoreIndex.from_documents(documents, embed_model=embedding())


def _articles(corpus: Path) -> dict[str, Article]:
    read = [article for file in find_files([corpus]) if isinstance(file, Path) for article in read_file(file)]
    return {article.id: article for article in read if isinstance(article, Article)}


class _Quickstart:
    """LlamaIndex's query engine with its defaults, over the same articles and the same server."""

    def __init__(self, assistant: Assistant, corpus: Path) -> None:
        self._server = assistant.llm.local_server
        self._name = assistant.llm.name
        self._index = _from_documents(corpus)

    def ask(self, question: str) -> tuple[float, float]:
        from llama_index.llms.openai_like import OpenAILike

        with self._server.turn() as turn:
            while not turn.wait(1):
                pass
            self._server.take(turn)  # what the slot has read is nothing that it could use
            llm = OpenAILike(
                model=self._name, api_base=f"{self._server.address}/v1", api_key=self._server.api_key,
                is_chat_model=True, context_window=4096, max_tokens=_QUICKSTART_TOKENS, temperature=0.0, timeout=600.0,
                additional_kwargs={"extra_body": {"id_slot": turn.slot, "cache_prompt": False}},
            )  # fmt: skip
            begun, first = time.perf_counter(), 0.0
            for _ in self._index.as_query_engine(llm=llm, streaming=True).query(question).response_gen:
                first = first or time.perf_counter() - begun
            return first, time.perf_counter() - begun


def _cpu() -> str:
    from rag.models.native import cpu_identity

    return f"{cpu_identity()[0]}, {len(os.sched_getaffinity(0))} cores"


@click.command(epilog="Example: dateline bench --peers --json")
@click.option("--peers", is_flag=True, help="In turn with LlamaIndex's quickstart; some minutes more.")
@click.option("--questions", "count", default=8, show_default=True, type=click.IntRange(1), help="How many questions.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(peers: bool, count: int, as_json: bool) -> None:
    """Measure how fast this machine embeds, reads and answers.

    \b
    dateline bench                  on the starter corpus: a minute or two
    dateline bench --peers          beside LlamaIndex's quickstart with the same models
    """
    settings = load_settings()
    if settings.endpoint:
        raise ConfigError("The bench measures the embedded LLM. Unset DATELINE_LLM_ENDPOINT for it.")
    gold = read_gold(_GOLD, _articles(_CORPUS))
    questions = [q.question for q in gold.questions if q.kind is Kind.FACT and q.answerable][: count + 1]
    with Progress() as bars:
        found = measure(settings, _CORPUS, questions, peers, bars.show)
    if as_json:
        click.echo(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        for line in found.lines():
            click.echo(safe(line))
