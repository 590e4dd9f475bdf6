"""Dateline's search behind LlamaIndex's `BaseRetriever`, so that any LlamaIndex engine can stand on it."""

from __future__ import annotations

import asyncio

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeRelationship, NodeWithScore, QueryBundle, RelatedNodeInfo, TextNode

from index.filters import Filters
from index.search import Hit, Index

_FIELDS = ("title", "source", "author", "published", "url")
_HIDDEN = ("article", "url", "start", "end")  # from the LLM


class DatelineRetriever(BaseRetriever):
    """The passages that answer to a question, best first.

    A node's text is the passage, its id `article-id:start-end`, its source node the article. Its metadata say where
    it stands; of them an LLM sees what is known of title, source, author and date. Scores compare only within one
    retrieval.

    Args:
        limit: how many passages.
        asked: the ISO date that "this week" and the like are meant from.
        filters: which articles may be found.
    """

    def __init__(self, index: Index, *, limit: int = 10, asked: str = "", filters: Filters | None = None) -> None:
        super().__init__()
        self._index = index
        self._limit = limit
        self._asked = asked
        self._filters = filters

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self._index.search(query_bundle.query_str, self._limit, asked=self._asked, filters=self._filters)
        return [NodeWithScore(node=_node(hit), score=hit.score) for hit in hits]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        # LlamaIndex's own would call the line above on the event loop, and block it.
        return await asyncio.to_thread(self._retrieve, query_bundle)


def _node(hit: Hit) -> TextNode:
    article, start, end = hit.article, hit.chunk.start, hit.chunk.end
    about = {name: getattr(article, name) for name in _FIELDS}
    metadata = {"article": article.id, **about, "start": start, "end": end}
    hidden = [name for name, value in metadata.items() if name in _HIDDEN or not value]
    return TextNode(
        id_=f"{article.id}:{start}-{end}",
        text=hit.text,
        start_char_idx=start,
        end_char_idx=end,
        metadata=metadata,
        excluded_llm_metadata_keys=hidden,
        excluded_embed_metadata_keys=hidden,
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=article.id)},
    )
