"""The tokenizer that a GGUF file of the Qwen2 family holds, and examples as tokens with their weights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

from evals.training.examples import Example

# llama.cpp's LLAMA_VOCAB_PRE_TYPE_QWEN2: every digit by itself.
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_CONTROL = {3, 4}  # token types of gguf: control, user defined
LONGEST = 1_200  # tokens; a longer example is left out


def tokenizer(model: Path) -> Tokenizer:
    """The tokenizer of a GGUF file, equal to llama.cpp's with special tokens read as such."""
    import gguf

    fields = gguf.GGUFReader(model).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ", 1)) for merge in fields["tokenizer.ggml.merges"].contents()]
    kinds = fields["tokenizer.ggml.token_type"].contents()
    made = Tokenizer(models.BPE({token: n for n, token in enumerate(tokens)}, merges))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(_WORDS), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    made.add_special_tokens(
        [AddedToken(t, special=True) for t, kind in zip(tokens, kinds, strict=True) if kind in _CONTROL and t[0] == "<"]
    )
    return made


def encoded(examples: Iterable[Example], model: Path) -> dict[str, np.ndarray]:
    """Examples as `evals/training/fit.py` reads them: tokens, weights, ends, held."""
    made = tokenizer(model)
    tokens: list[int] = []
    weights: list[float] = []
    ends, held = [], []
    for example in examples:
        begin = len(tokens)
        for part in example.parts:
            ids = made.encode(part.text).ids
            tokens += ids
            weights += [part.weight] * len(ids)
        if len(tokens) - begin > LONGEST:
            del tokens[begin:], weights[begin:]
            continue
        ends.append(len(tokens))
        held.append(example.split != "train")
    return {
        "tokens": np.array(tokens, np.uint32), "weights": np.array(weights, np.float16),
        "ends": np.array(ends, np.int64), "held": np.array(held, np.uint8),
    }  # fmt: skip
