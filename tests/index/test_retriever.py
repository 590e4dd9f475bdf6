"""Dateline's search under LlamaIndex's own engine, with a model that only repeats its prompt."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import MetadataMode, NodeWithScore, TextNode

from index.filters import Filters
from index.retriever import DatelineRetriever
from index.search import Index

QUESTION = "How many houses were lost in the flood?"


@pytest.fixture
def filled(corpus: Index, write: Callable[..., Path], folder: Path) -> Index:
    for name, published, source in (
        ("old", "2023-03-01", "The Herald"),
        ("new", "2025-04-15", "The Courier"),
        ("undated", "", ""),
    ):
        write(
            f"{name}.md",
            f"---\ntitle: Flood in {name} valley\npublished: {published}\nsource: {source}\n"
            f"url: https://example.org/{name}\n---\n"
            f"A flood came to the {name} valley. Forty houses were lost in the flood.",
        )
    corpus.add([folder])
    return corpus


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """On a thread of its own: the browser of other tests keeps an event loop on this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def ids(found: list[NodeWithScore]) -> list[str]:
    return [each.node.metadata["article"] for each in found]


def test_nodes_are_the_hits_of_the_search(filled: Index) -> None:
    hits = filled.search(QUESTION)
    nodes = DatelineRetriever(filled).retrieve(QUESTION)
    assert [(n.node.node_id, n.get_content(MetadataMode.NONE), n.score) for n in nodes] == [
        (f"{h.article.id}:{h.chunk.start}-{h.chunk.end}", h.text, h.score) for h in hits
    ]
    assert len(nodes) == 3


def test_a_node_says_where_in_which_article_it_stands(filled: Index) -> None:
    for each in DatelineRetriever(filled).retrieve(QUESTION):
        node = each.node
        assert isinstance(node, TextNode)
        article = filled.article(str(node.ref_doc_id))
        assert node.metadata == {
            "article": article.id, "title": article.title, "source": article.source, "author": "",
            "published": article.published, "url": article.url, "start": node.start_char_idx, "end": node.end_char_idx,
        }  # fmt: skip
        assert article.text[node.start_char_idx : node.end_char_idx] == node.text


def test_an_llm_is_shown_what_is_known_and_helps_to_read(filled: Index) -> None:
    shown = {
        each.node.metadata["article"]: each.node.get_content(MetadataMode.LLM).split("\n\n")[0]
        for each in DatelineRetriever(filled).retrieve(QUESTION)
    }
    assert shown["old"].splitlines() == ["title: Flood in old valley", "source: The Herald", "published: 2023-03-01"]
    assert shown["undated"] == "title: Flood in undated valley"


def test_a_query_engine_of_llama_index_answers_from_it_offline(filled: Index) -> None:
    engine = RetrieverQueryEngine.from_args(DatelineRetriever(filled, limit=2), llm=MockLLM())
    answer = engine.query(QUESTION)
    assert [n.node.node_id for n in answer.source_nodes] == [
        f"{h.article.id}:{h.chunk.start}-{h.chunk.end}" for h in filled.search(QUESTION, 2)
    ]
    # The model repeats what it is asked: the passages stand in its prompt, with their titles, and so does the question.
    for hit in filled.search(QUESTION, 2):
        assert hit.text in str(answer)
        assert hit.article.title in str(answer)
    assert QUESTION in str(answer)


@pytest.mark.parametrize(("asked", "first"), [("2025-04-18", "new"), ("2023-03-03", "old")])
def test_the_day_of_the_question_is_passed_on(filled: Index, asked: str, first: str) -> None:
    question = "How many houses were lost in the flood this week?"
    assert ids(DatelineRetriever(filled, asked=asked).retrieve(question))[0] == first


def test_filters_and_limit_are_passed_on(filled: Index) -> None:
    assert ids(DatelineRetriever(filled, filters=Filters(since="2024")).retrieve(QUESTION)) == ["new"]
    assert len(DatelineRetriever(filled, limit=2).retrieve(QUESTION)) == 2


def test_an_empty_corpus_gives_no_nodes(corpus: Index) -> None:
    assert DatelineRetriever(corpus).retrieve(QUESTION) == []


def test_async_finds_the_same_and_leaves_the_event_loop_free(filled: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = ids(DatelineRetriever(filled).retrieve(QUESTION))
    loop_ran = threading.Event()
    search = Index.search

    def waiting(self: Index, *args: object, **kwargs: object) -> object:
        assert loop_ran.wait(10), "the event loop stood still while the search ran"
        return search(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Index, "search", waiting)

    async def both() -> list[NodeWithScore]:
        asyncio.get_running_loop().call_later(0.05, loop_ran.set)
        return await DatelineRetriever(filled).aretrieve(QUESTION)

    assert ids(run(both())) == expected


def test_several_questions_at_once_do_not_disturb_each_other(filled: Index) -> None:
    retriever = DatelineRetriever(filled)
    questions = [f"How many houses were lost in the {name} valley?" for name in ("old", "new", "undated")] * 4

    async def ask() -> list[list[NodeWithScore]]:
        return await asyncio.gather(*(retriever.aretrieve(question) for question in questions))

    assert [ids(found) for found in run(ask())] == [ids(retriever.retrieve(q)) for q in questions]
