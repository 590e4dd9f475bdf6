"""A BERT on the CPU in 8 bits, by onnxruntime: a text → the vectors of its word pieces, a pair of texts → a score.

One text a run, each run on one thread, as many runs at once as there are cores. That wastes nothing on padding, no
thread spins while it waits for another, and what comes out for a text never depends on the texts beside it. Knows
nothing of articles.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

Floats = npt.NDArray[np.float32]
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_OPSET = 20
# 7 bits and a sign bit: AVX2 without VNNI adds two products in 16 bits, which 8 would overflow.
_LARGEST = 63


class Encoding(NamedTuple):
    """What a model makes of an input: `output` (pieces, d), (1,) for a score; `offsets` (pieces, 2) in the text."""

    output: Floats
    offsets: npt.NDArray[np.int64]


class Encoder:
    """A model and its tokenizer; any thread may use it.

    Args:
        model: an ONNX file's content, with the three inputs of a BERT and one output.
        tokenizer: its own copy, of which padding and cutting are set here.
        longest: word pieces that the model reads, special ones included; the rest is cut off.
    """

    def __init__(self, model: bytes, tokenizer: Tokenizer, longest: int) -> None:
        self._session = _session(model)
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(longest)

    def encode(self, text: str, other: str | None = None) -> Encoding:
        """A text, or a pair that the model reads together."""
        pieces = self._tokenizer.encode(text, other)
        return Encoding(self.run(pieces.ids, pieces.type_ids), np.asarray(pieces.offsets, dtype=np.int64))

    def run(self, ids: Iterable[int], type_ids: Iterable[int]) -> Floats:
        """The output for the numbers of word pieces."""
        pieces = np.asarray([ids], dtype=np.int64)
        inputs = {"input_ids": pieces, "attention_mask": np.ones_like(pieces),
                  "token_type_ids": np.asarray([type_ids], dtype=np.int64)}  # fmt: skip
        return np.asarray(self._session.run(None, inputs)[0][0], dtype=np.float32)


class OnAllCores(Generic[_Result]):
    """The results of work on items, in order, as many at once as there are cores; begun at once.

    Closing it leaves undone what has not been begun.
    """

    def __init__(self, work: Callable[[_Item], _Result], items: Iterable[_Item]) -> None:
        self._results = deque(_pool().submit(work, item) for item in items)

    def __iter__(self) -> Iterator[_Result]:
        while self._results:
            yield self._results.popleft().result()

    def close(self) -> None:
        for result in self._results:
            result.cancel()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="encoder")


def _session(model: bytes) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors; its warnings are about how a graph is written
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def is_bert(folder: Path) -> bool:
    """Whether `compile_bert` knows the model of a folder."""
    config = folder / "config.json"
    if not config.is_file() or not (folder / "model.safetensors").is_file():
        return False
    told = json.loads(config.read_text(encoding="utf-8"))
    plain = told.get("hidden_act") == "gelu" and told.get("position_embedding_type", "absolute") == "absolute"
    return bool(told.get("model_type") == "bert" and plain)


def compile_bert(folder: Path) -> bytes:
    """The BERT of a folder (`config.json`, `model.safetensors`) as an ONNX model with 8-bit weights.

    Takes a third of a second for 6 layers. Weights are rounded by column (symmetric), activations while it runs, a
    text at a time.
    """
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = {name.removeprefix("bert."): value for name, value in load_file(folder / "model.safetensors").items()}
    return _Graph(weights, config).model()


class _Graph:
    """The graph while it is being built; methods that add a node return the name of its output."""

    def __init__(self, weights: Mapping[str, npt.NDArray[Any]], config: Mapping[str, Any]) -> None:
        self._weights = weights
        self._config = config
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def model(self) -> bytes:
        from onnx import TensorProto, helper

        hidden = self._embeddings()
        mask = self._add("Cast", "attention_mask", to=TensorProto.INT32)
        for layer in range(self._config["num_hidden_layers"]):
            hidden = self._layer(f"encoder.layer.{layer}", hidden, mask)
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "pieces"])
            for name in ("input_ids", "attention_mask", "token_type_ids")
        ]
        size = self._config["hidden_size"]
        output = helper.make_tensor_value_info(hidden, TensorProto.FLOAT, ["texts", "pieces", size])
        graph = helper.make_graph(self._nodes, "bert", inputs, [output], self._constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("com.microsoft", 1)]
        return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())

    def _embeddings(self) -> str:
        words = self._add("Gather", self._weight("embeddings.word_embeddings.weight"), "input_ids")
        kinds = self._add("Gather", self._weight("embeddings.token_type_embeddings.weight"), "token_type_ids")
        begin, axis = self._constant("begin", np.array([0])), self._constant("axis", np.array([0]))
        length = self._add("Shape", "input_ids", start=1, end=2)
        places = self._add("Slice", self._weight("embeddings.position_embeddings.weight"), begin, length, axis)
        return self._norm("embeddings.LayerNorm", self._add("Add", self._add("Add", words, kinds), places))

    def _layer(self, name: str, hidden: str, mask: str) -> str:
        rounded = self._round(hidden)
        query, key, value = (
            self._linear(f"{name}.attention.self.{part}", rounded) for part in ("query", "key", "value")
        )
        heads = self._config["num_attention_heads"]
        seen = self._add("MultiHeadAttention", query, key, value, "", mask, domain="com.microsoft", num_heads=heads)
        told = self._linear(f"{name}.attention.output.dense", self._round(seen))
        hidden = self._norm(f"{name}.attention.output.LayerNorm", self._add("Add", told, hidden))
        wide = self._add("Gelu", self._linear(f"{name}.intermediate.dense", self._round(hidden)))
        narrow = self._linear(f"{name}.output.dense", self._round(wide))
        return self._norm(f"{name}.output.LayerNorm", self._add("Add", narrow, hidden))

    def _round(self, x: str) -> tuple[str, str, str]:
        """Activations in 8 bits: values, scale and zero point."""
        names = tuple(f"{x}.{part}" for part in ("rounded", "scale", "zero"))
        self._add("DynamicQuantizeLinear", x, outputs=names)
        return names[0], names[1], names[2]

    def _linear(self, name: str, rounded: tuple[str, str, str]) -> str:
        from onnx import TensorProto

        values, scale, zero = rounded
        matrix = self._weights[f"{name}.weight"].T.astype(np.float32)
        steps = np.maximum(np.abs(matrix).max(axis=0), 1e-12) / _LARGEST
        whole = np.clip(np.round(matrix / steps), -_LARGEST, _LARGEST).astype(np.int8)
        product = self._add("MatMulInteger", values, self._constant(f"{name}.whole", whole), zero)
        scales = self._add("Mul", scale, self._constant(f"{name}.steps", steps.astype(np.float32)))
        scaled = self._add("Mul", self._add("Cast", product, to=TensorProto.FLOAT), scales)
        return self._add("Add", scaled, self._weight(f"{name}.bias"))

    def _norm(self, name: str, x: str) -> str:
        weight, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self._add("LayerNormalization", x, weight, bias, axis=-1, epsilon=self._config["layer_norm_eps"])

    def _weight(self, name: str) -> str:
        return self._constant(name, self._weights[name].astype(np.float32))

    def _constant(self, name: str, value: npt.NDArray[Any]) -> str:
        from onnx import numpy_helper

        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _add(self, kind: str, *inputs: str, outputs: tuple[str, ...] = (), domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        outputs = outputs or (f"{kind}-{len(self._nodes)}",)
        self._nodes.append(helper.make_node(kind, inputs, outputs, domain=domain, **attributes))
        return outputs[0]


def sentence_transformers_module(encoder: Encoder, tokenizer: Any, longest: int) -> Any:
    """The encoder as the first of a SentenceTransformer's `modules`, in place of its Transformer.

    Args:
        tokenizer: the model's own, of transformers.
    """
    import torch
    from sentence_transformers.base.modules import InputModule

    class OnnxTransformer(InputModule):
        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]  # torch's
            self.tokenizer = tokenizer
            self.max_seq_length = longest

        def preprocess(self, inputs: Any, prompt: str | None = None, **_: Any) -> Any:
            texts = [(prompt or "") + text for text in inputs]
            return tokenizer(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt")

        def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
            ids, mask = features["input_ids"], features["attention_mask"]
            rows = [row[: int(kept.sum())].tolist() for row, kept in zip(ids, mask, strict=True)]
            # Not on all cores: a text may come from one of their threads, which must not wait for the others.
            outputs = [torch.from_numpy(encoder.run(row, [0] * len(row))) for row in rows]
            features["token_embeddings"] = torch.nn.utils.rnn.pad_sequence(outputs, batch_first=True)
            return features

        def save(self, output_path: str, *_: Any, **__: Any) -> None:
            raise NotImplementedError("Save the model that this was compiled from.")

    return OnnxTransformer()
