"""Counting tokens: by tiktoken's o200k where a model's own tokenizer is not at hand, or from what a server tells."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import Any


def count_o200k(texts: Sequence[str]) -> list[int]:
    """Tokens of each text by tiktoken's o200k, for models whose own tokenizer is not at hand."""
    return [len(_tiktoken().encode(text, disallowed_special=())) for text in texts]


def count_pieces(texts: Sequence[str], pieces: Sequence[str | Sequence[int]]) -> list[int]:
    """Tokens of each text, from the tokens of all texts joined by newlines.

    Args:
        pieces: what each token covers, in order: a text, or the bytes of half a character.
    """
    counts = [0] * len(texts)
    ends = list(accumulate(len(text.encode()) + 1 for text in texts))
    position, current = 0, 0
    for piece in pieces:
        while current < len(ends) - 1 and position >= ends[current]:
            current += 1
        counts[current] += 1
        position += len(piece.encode()) if isinstance(piece, str) else len(piece)
    return counts


def share_out(texts: Sequence[str], total: int) -> list[int]:
    """Tokens of each text where only their total is told: in the proportions of o200k, rounded up."""
    own = count_o200k(texts)
    scale = total / (sum(own) or 1)
    return [math.ceil(tokens * scale) for tokens in own]


@lru_cache(maxsize=1)
def _tiktoken() -> Any:
    # LlamaIndex carries the encodings; tiktoken would download them otherwise.
    spec = find_spec("llama_index.core")
    assert spec is not None and spec.origin is not None
    os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(spec.origin).parent / "_static" / "tiktoken_cache")
    import tiktoken

    return tiktoken.get_encoding("o200k_base")
