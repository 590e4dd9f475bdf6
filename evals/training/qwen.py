"""A Qwen2 in plain PyTorch over the weights of a GGUF file, with low-rank adapters on its attention.

Only what training needs: right-padded batches, no cache, and the loss on the tokens that are to be learned alone. The
weights are those that llama.cpp runs, dequantised, so that training and running see the same ones. Imports nothing of
Dateline, so that it runs on any machine that has PyTorch, NumPy and `gguf`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

ADAPTED = ("attn_q", "attn_k", "attn_v", "attn_output")  # what is merged into 8-bit weights at set-up


@dataclass(frozen=True, slots=True)
class Shape:
    """The dimensions of a model, as its GGUF file states them."""

    layers: int
    width: int
    inner: int
    heads: int
    kv_heads: int
    epsilon: float
    base: float

    @property
    def head(self) -> int:
        """The width of one head."""
        return self.width // self.heads


class Adapted(nn.Module):
    """A linear map that stays as it is, plus a low-rank one that is learned: ``x W' + b + scale (x A') B'``."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None, rank: int, scale: float) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        outputs, inputs = weight.shape
        self.a = nn.Parameter(torch.randn(rank, inputs) / math.sqrt(inputs))
        self.b = nn.Parameter(torch.zeros(outputs, rank))
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        low = functional.linear(functional.linear(x, self.a.to(x.dtype)), self.b.to(x.dtype))
        return functional.linear(x, self.weight, self.bias) + self.scale * low


class Block(nn.Module):
    """One layer: attention and feed-forward, each on what a norm has scaled."""

    attn_q: Adapted
    attn_k: Adapted
    attn_v: Adapted
    attn_output: Adapted
    attn_norm: Tensor
    ffn_norm: Tensor
    ffn_gate: Tensor
    ffn_up: Tensor
    ffn_down: Tensor

    def __init__(self, weights: Mapping[str, Tensor], shape: Shape, rank: int, scale: float) -> None:
        super().__init__()
        self.shape = shape
        for name in ADAPTED:
            self.add_module(name, Adapted(weights[f"{name}.weight"], weights.get(f"{name}.bias"), rank, scale))
        for name in ("attn_norm", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down"):
            self.register_buffer(name, weights[f"{name}.weight"])

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, width = x.shape
        shape = self.shape
        y = _norm(x, self.attn_norm, shape.epsilon)
        q = self.attn_q(y).view(batch, length, shape.heads, shape.head).transpose(1, 2)
        k = self.attn_k(y).view(batch, length, shape.kv_heads, shape.head).transpose(1, 2)
        v = self.attn_v(y).view(batch, length, shape.kv_heads, shape.head).transpose(1, 2)
        seen = functional.scaled_dot_product_attention(
            _turned(q, cos, sin), _turned(k, cos, sin), v, is_causal=True, enable_gqa=True
        )
        x = x + self.attn_output(seen.transpose(1, 2).reshape(batch, length, width))
        y = _norm(x, self.ffn_norm, shape.epsilon)
        opened = functional.silu(functional.linear(y, self.ffn_gate)) * functional.linear(y, self.ffn_up)
        return x + functional.linear(opened, self.ffn_down)


class Qwen(nn.Module):
    """The model; `forward` gives the logits, shape (n, vocabulary), of the places that `wanted` marks.

    Args of `forward`:
        tokens: shape (batch, length), padded on the right.
        wanted: shape (batch, length), True where the next token is to be told.
    """

    embedding: Tensor
    output: Tensor
    output_norm: Tensor

    def __init__(self, weights: Mapping[str, Tensor], shape: Shape, rank: int, scale: float) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("embedding", weights["token_embd.weight"])
        self.register_buffer("output", weights["output.weight"])
        self.register_buffer("output_norm", weights["output_norm.weight"])
        self.blocks = nn.ModuleList(
            Block(
                {name.removeprefix(f"blk.{n}."): w for name, w in weights.items() if name.startswith(f"blk.{n}.")},
                shape, rank, scale,
            )
            for n in range(shape.layers)
        )  # fmt: skip

    def forward(self, tokens: Tensor, wanted: Tensor) -> Tensor:
        shape = self.shape
        x = functional.embedding(tokens, self.embedding)
        places = torch.arange(tokens.shape[1], device=tokens.device, dtype=torch.float32)
        turns = shape.base ** (-torch.arange(0, shape.head, 2, device=tokens.device, dtype=torch.float32) / shape.head)
        angles = torch.outer(places, turns).repeat(1, 2)
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        for block in self.blocks:
            x = block(x, cos, sin)
        return functional.linear(_norm(x[wanted], self.output_norm, shape.epsilon), self.output).float()

    def learned(self) -> Iterator[tuple[str, Adapted]]:
        """The adapted maps by the name of their weight in the GGUF file."""
        for n, block in enumerate(self.blocks):
            for name in ADAPTED:
                yield f"blk.{n}.{name}.weight", getattr(block, name)


def _norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    return functional.rms_norm(x, (x.shape[-1],), weight, epsilon)


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], dim=-1) * sin


def load(path: Path, device: str, rank: int, scale: float, dtype: torch.dtype = torch.bfloat16) -> Qwen:
    """The model of a GGUF file (Qwen2 alone), its weights dequantised to `dtype`."""
    reader = gguf.GGUFReader(path)

    def stated(name: str) -> Any:
        return reader.fields[f"qwen2.{name}"].contents()

    shape = Shape(
        layers=stated("block_count"), width=stated("embedding_length"), inner=stated("feed_forward_length"),
        heads=stated("attention.head_count"), kv_heads=stated("attention.head_count_kv"),
        epsilon=stated("attention.layer_norm_rms_epsilon"), base=stated("rope.freq_base"),
    )  # fmt: skip

    def weight(tensor: gguf.ReaderTensor) -> tuple[str, Tensor]:
        told = np.require(gguf.dequantize(tensor.data, tensor.tensor_type), requirements="W")
        return tensor.name, torch.from_numpy(told).to(device, dtype)

    with ThreadPoolExecutor() as pool:
        weights = dict(pool.map(weight, reader.tensors))
    with torch.device(device):
        return Qwen(weights, shape, rank, scale)
