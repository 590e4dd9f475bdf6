"""The model that is trained is the one that llama.cpp runs, training lowers the loss, and what is saved is merged."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from evals.training.fit import Examples, export, fit, losses, resume, save
from evals.training.qwen import ADAPTED, Qwen, load
from rag.models import adapter

pytestmark = pytest.mark.slow

VOCABULARY, WIDTH, INNER, LAYERS, HEADS, KV_HEADS = 48, 64, 96, 2, 4, 2
EPSILON, BASE = 1e-5, 500.0
SCALE, RANK = 2.0, 4
TOKENS = [[5, 17, 2, 40, 9, 33, 21], [8, 30, 11, 4]]
Weights = dict[str, npt.NDArray[np.float32]]

_OF_LAYER = {
    "attn_norm.weight": "input_layernorm.weight", "ffn_norm.weight": "post_attention_layernorm.weight",
    "attn_q.weight": "self_attn.q_proj.weight", "attn_q.bias": "self_attn.q_proj.bias",
    "attn_k.weight": "self_attn.k_proj.weight", "attn_k.bias": "self_attn.k_proj.bias",
    "attn_v.weight": "self_attn.v_proj.weight", "attn_v.bias": "self_attn.v_proj.bias",
    "attn_output.weight": "self_attn.o_proj.weight", "ffn_gate.weight": "mlp.gate_proj.weight",
    "ffn_up.weight": "mlp.up_proj.weight", "ffn_down.weight": "mlp.down_proj.weight",
}  # fmt: skip
_OF_MODEL = {
    "token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}  # fmt: skip


def shapes() -> dict[str, tuple[int, ...]]:
    head = WIDTH // HEADS
    of_layer: dict[str, tuple[int, ...]] = {
        "attn_norm.weight": (WIDTH,), "ffn_norm.weight": (WIDTH,),
        "attn_q.weight": (WIDTH, WIDTH), "attn_q.bias": (WIDTH,),
        "attn_k.weight": (KV_HEADS * head, WIDTH), "attn_k.bias": (KV_HEADS * head,),
        "attn_v.weight": (KV_HEADS * head, WIDTH), "attn_v.bias": (KV_HEADS * head,),
        "attn_output.weight": (WIDTH, WIDTH), "ffn_gate.weight": (INNER, WIDTH), "ffn_up.weight": (INNER, WIDTH),
        "ffn_down.weight": (WIDTH, INNER),
    }  # fmt: skip
    layers = {f"blk.{n}.{name}": shape for n in range(LAYERS) for name, shape in of_layer.items()}
    whole = {"token_embd.weight": (VOCABULARY, WIDTH), "output.weight": (VOCABULARY, WIDTH)}
    return {**layers, **whole, "output_norm.weight": (WIDTH,)}


@pytest.fixture(scope="module")
def weights() -> Weights:
    """Random ones, as large as those of a real model; no bias is zero and no norm is one."""
    random = np.random.default_rng(7)
    made: Weights = {}
    for name, shape in shapes().items():
        values = random.normal(size=shape) / (1.0 if len(shape) == 1 else np.sqrt(shape[-1]))
        made[name] = (1 + 0.3 * values if "norm" in name else values).astype(np.float32)
    return made


def write_gguf(path: Path, weights: Weights) -> Path:
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name("Tiny")
    writer.add_block_count(LAYERS)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_rope_freq_base(BASE)
    for name, value in weights.items():
        writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def model_file(tmp_path: Path, weights: Weights) -> Path:
    return write_gguf(tmp_path / "tiny.gguf", weights)


def loaded(path: Path) -> Qwen:
    torch.manual_seed(1)
    return load(path, "cpu", RANK, SCALE, torch.float32)


def logits(model: Qwen, rows: Sequence[Sequence[int]] = TOKENS) -> list[Tensor]:
    """Of every place of every row, which go in as one padded batch; shape (length, vocabulary) each."""
    longest = max(map(len, rows))
    tokens = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    wanted = torch.tensor([[n < len(row) for n in range(longest)] for row in rows])
    with torch.no_grad():
        found: Tensor = model(tokens, wanted)
    return list(torch.split(found, [len(row) for row in rows]))


def with_a_change(model: Qwen, size: float = 0.05) -> Qwen:
    """The model, its adapters no longer without effect."""
    torch.manual_seed(2)
    for _, adapted in model.learned():
        torch.nn.init.normal_(adapted.b, std=size)
    return model


def furthest(some: Sequence[Tensor], others: Sequence[Tensor]) -> float:
    return max(float((one - other).abs().max()) for one, other in zip(some, others, strict=True))


# The model


def test_the_logits_are_those_of_transformers_with_the_same_weights(model_file: Path, weights: Weights) -> None:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, rms_norm_eps=EPSILON, tie_word_embeddings=False,
        rope_parameters={"rope_type": "default", "rope_theta": BASE},
    )  # fmt: skip
    theirs: torch.nn.Module = Qwen2ForCausalLM(config)
    theirs.train(False)
    names = {f"blk.{n}.{own}": f"model.layers.{n}.{name}" for n in range(LAYERS) for own, name in _OF_LAYER.items()}
    names |= _OF_MODEL
    state = {names[own]: torch.from_numpy(value) for own, value in weights.items()}
    assert set(state) == set(theirs.state_dict())
    theirs.load_state_dict(state)
    with torch.no_grad():
        expected = [theirs(torch.tensor([row])).logits[0] for row in TOKENS]
    ours = logits(loaded(model_file))
    assert furthest(ours, expected) < 1e-4
    assert float(torch.cat(expected).std()) > 0.1, "logits that tell something"


def test_only_the_places_that_are_wanted_are_told(model_file: Path) -> None:
    model = loaded(model_file)
    whole = logits(model)[0]
    wanted = torch.zeros(1, len(TOKENS[0]), dtype=torch.bool)
    wanted[0, [2, 5]] = True
    with torch.no_grad():
        found = model(torch.tensor([TOKENS[0]]), wanted)
    assert torch.allclose(found, whole[[2, 5]], atol=1e-5)


def test_quantised_weights_are_read_as_llama_cpp_reads_them(tmp_path: Path, weights: Weights) -> None:
    kind = gguf.GGMLQuantizationType.Q8_0
    rounded = {
        name: gguf.dequantize(gguf.quantize(value, kind), kind) if value.ndim == 2 else value
        for name, value in weights.items()
    }
    path = tmp_path / "q8.gguf"
    writer = gguf.GGUFWriter(path, "qwen2")
    for name, field in gguf.GGUFReader(write_gguf(tmp_path / "plain.gguf", weights)).fields.items():
        if name.startswith("qwen2."):
            writer.add_key_value(name, field.contents(), field.types[0])
    for name, value in weights.items():
        if value.ndim == 2:
            writer.add_tensor(name, gguf.quantize(value, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    expected = logits(loaded(write_gguf(tmp_path / "rounded.gguf", rounded)))
    assert furthest(logits(loaded(path)), expected) < 1e-5


def test_what_is_learned_is_the_attention_of_every_layer_and_nothing_else(model_file: Path) -> None:
    model = loaded(model_file)
    assert [name for name, _ in model.learned()] == [
        f"blk.{n}.{name}.weight" for n in range(LAYERS) for name in ADAPTED
    ]
    learned = {id(parameter) for _, adapted in model.learned() for parameter in (adapted.a, adapted.b)}
    assert {id(parameter) for parameter in model.parameters() if parameter.requires_grad} == learned
    assert furthest(logits(with_a_change(model)), logits(loaded(model_file))) > 0.1


# Examples


def write_examples(path: Path, rows: Sequence[Sequence[int]], weights: Sequence[Sequence[float]], held: int) -> Path:
    """The last `held` of them are only measured."""
    np.savez(
        path,
        tokens=np.concatenate([np.array(row, np.uint32) for row in rows]),
        weights=np.concatenate([np.array(row, np.float16) for row in weights]),
        ends=np.cumsum([len(row) for row in rows]),
        held=np.array([n >= len(rows) - held for n in range(len(rows))], np.uint8),
    )
    return path


def test_every_example_is_in_one_batch_and_none_is_much_larger_than_it_may_be(tmp_path: Path) -> None:
    lengths = [130, 390, 170, 520, 210, 1700, 310, 300]
    rows = [[n] * length for n, length in enumerate(lengths)]
    examples = Examples(write_examples(tmp_path / "e.npz", rows, [[1.0] * length for length in lengths], 0))
    for shuffle in (None, random.Random(3)):
        batches = list(examples.batches(range(8), 1_000, shuffle))
        spread = 24 if shuffle else 0  # tokens by which the lengths of a shuffled batch may fall
        assert sorted(n for batch in batches for n in batch) == list(range(8))
        for batch in batches:
            assert len(batch) == 1 or len(batch) * (max(lengths[n] for n in batch) - spread) <= 1_000
        assert len(batches) < 8
    tokens, weights = examples.padded([1, 2], "cpu")
    assert tokens.tolist() == [[1] * 390, [2] * 170 + [0] * 220]
    assert weights.tolist() == [[1.0] * 390, [1.0] * 170 + [0.0] * 220]


def test_only_what_has_a_weight_is_learned_and_from_what_stands_before_it(model_file: Path, tmp_path: Path) -> None:
    marks = [[0, 0, 1, 0, 0, 4, 1], [0, 0, 0, 2]]
    examples = Examples(write_examples(tmp_path / "e.npz", TOKENS, marks, 0))
    model = loaded(model_file)
    with torch.no_grad():
        loss, weight = losses(model, *examples.padded([0, 1], "cpu"))
    assert weight.tolist() == [1, 4, 1, 2]
    first, second = (each.log_softmax(-1) for each in logits(model))
    expected = [
        -float(row[n - 1, token]) for row, n, token in ((first, 2, 2), (first, 5, 33), (first, 6, 21), (second, 3, 4))
    ]
    assert loss.tolist() == pytest.approx(expected, abs=1e-4)


# Training


PATTERN = [3, 14, 7, 29, 41, 6, 18, 22]


@pytest.fixture
def examples_file(tmp_path: Path) -> Path:
    """The same words again and again, the last of which is a decision."""
    marks = [0.0, 0.0, *[1.0] * (len(PATTERN) - 3), 8.0]
    return write_examples(tmp_path / "examples.npz", [PATTERN] * 20, [marks] * 20, 4)


def told(out: str) -> list[tuple[float, float, float]]:
    """Each measurement that was printed: loss of words, loss of decisions, decisions that are right."""
    found = re.findall(r"held: words ([\d.]+), decisions ([\d.]+), right ([\d.]+)", out)
    return [(float(words), float(decisions), float(right)) for words, decisions, right in found]


def train(model_file: Path, examples_file: Path, to: Path, *, epochs: float = 20.0, minutes: float = 5.0) -> None:
    fit(
        model_file, examples_file, to, minutes=minutes, epochs=epochs, rank=RANK, scale=SCALE, rate=0.02,
        batch_tokens=64, device="cpu",
    )  # fmt: skip


def test_a_few_steps_lower_the_loss_and_write_the_adapter(
    model_file: Path, examples_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(model_file, examples_file, tmp_path / "adapter.npz")
    out = capsys.readouterr().out
    assert "40 steps, 20 epochs" in out
    (words, decisions, _), (words_after, decisions_after, right) = told(out)
    assert words_after < 0.7 * words
    assert decisions_after < 0.7 * decisions
    assert right == 1.0
    saved = np.load(tmp_path / "adapter.npz")
    assert set(saved.files) == {f"blk.{n}.{name}.weight.{x}" for n in range(LAYERS) for name in ADAPTED for x in "ab"}
    assert all(saved[name].dtype == np.float16 and np.abs(saved[name]).max() > 0 for name in saved.files)
    assert not list(tmp_path.glob("*.part"))


def test_training_is_the_same_every_time(model_file: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    rows = [[(n * 7 + place * 11) % VOCABULARY for place in range(6 + n % 5)] for n in range(16)]
    marks = [[0.0] + [1.0] * (len(row) - 2) + [8.0] for row in rows]
    various = write_examples(tmp_path / "various.npz", rows, marks, 4)
    for path in (one, two):
        train(model_file, various, path, epochs=3)
    first, second = np.load(one), np.load(two)
    assert all(np.array_equal(first[name], second[name]) for name in first.files)


def test_training_ends_with_its_minutes(
    model_file: Path, examples_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(model_file, examples_file, tmp_path / "adapter.npz", epochs=1e6, minutes=0.02)
    assert len(told(capsys.readouterr().out)) == 2
    assert (tmp_path / "adapter.npz").exists()


def test_a_run_that_was_stopped_goes_on_where_it_was(
    model_file: Path, examples_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "adapter.npz"
    train(model_file, examples_file, path, epochs=10)
    stopped = told(capsys.readouterr().out)[-1]
    train(model_file, examples_file, path, epochs=20)
    out = capsys.readouterr().out
    assert f"goes on after {10 * 16 * len(PATTERN):,} tokens" in out
    assert "20 steps, 10 epochs" in out
    first, last = told(out)
    assert first == pytest.approx(stopped, abs=0.1)
    assert last[0] < first[0]
    train(model_file, examples_file, path, epochs=20)
    assert "\n0 steps" in capsys.readouterr().out, "it is done"


def test_a_saved_adapter_comes_back_as_it_was(model_file: Path, tmp_path: Path) -> None:
    model = with_a_change(loaded(model_file))
    save(model, tmp_path / "adapter.npz", SCALE, seen=1_234)
    again = loaded(model_file)
    assert resume(again, tmp_path / "nothing.npz", SCALE) == 0
    assert furthest(logits(again), logits(model)) > 0.5
    assert resume(again, tmp_path / "adapter.npz", SCALE) == 1_234
    assert furthest(logits(again), logits(model)) < 0.01


# Merging


def merged(weights: Weights, saved: Mapping[str, npt.NDArray[np.float16]]) -> Weights:
    """The weights with the saved change added to them."""
    changed = dict(weights)
    for name in weights:
        if f"{name}.a" in saved:
            a, b = (saved[f"{name}.{x}"].astype(np.float32) for x in "ab")
            changed[name] = weights[name] + b @ a
    return changed


def test_the_saved_adapter_added_to_the_weights_gives_the_logits_of_the_adapted_model(
    model_file: Path, weights: Weights, tmp_path: Path
) -> None:
    model = with_a_change(loaded(model_file))
    save(model, tmp_path / "adapter.npz", SCALE)
    changed = merged(weights, np.load(tmp_path / "adapter.npz"))
    assert sum(not np.array_equal(changed[name], weights[name]) for name in weights) == LAYERS * len(ADAPTED)
    adapted = logits(model)
    assert furthest(logits(loaded(write_gguf(tmp_path / "merged.gguf", changed))), adapted) < 0.01
    assert furthest(logits(loaded(model_file)), adapted) > 0.5


def test_dateline_merges_the_saved_adapter_to_the_logits_of_the_adapted_model(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = with_a_change(loaded(model_file))
    save(model, tmp_path / "adapter.npz", SCALE)
    export(tmp_path / "adapter.npz", tmp_path / "adapter.gguf")
    monkeypatch.setattr(adapter, "ADAPTER", tmp_path / "adapter.gguf")
    adapter.merge(model_file, tmp_path / "merged.gguf")
    found, adapted = logits(loaded(tmp_path / "merged.gguf")), logits(model)
    assert furthest(found, adapted) < 0.1, "8-bit weights of the attention round a little"
    assert furthest(logits(loaded(model_file)), adapted) > 0.5


def test_an_exported_adapter_says_what_llama_cpp_needs_to_know(model_file: Path, tmp_path: Path) -> None:
    save(with_a_change(loaded(model_file)), tmp_path / "adapter.npz", SCALE)
    export(tmp_path / "adapter.npz", tmp_path / "adapter.gguf")
    told, bundled = gguf.GGUFReader(tmp_path / "adapter.gguf"), gguf.GGUFReader(adapter.ADAPTER)
    assert told.fields["adapter.type"].contents() == "lora"
    # llama.cpp scales a change by alpha over the rank; the scale is in the matrices already.
    assert told.fields["adapter.lora.alpha"].contents() == RANK
    assert set(told.fields) == set(bundled.fields)
    saved = np.load(tmp_path / "adapter.npz")
    for tensor in told.tensors:
        name, _, which = tensor.name.rpartition(".lora_")
        assert np.array_equal(tensor.data, saved[f"{name}.{which}"])


def test_the_bundled_adapter_changes_what_is_trained_and_nothing_else() -> None:
    names = {tensor.name for tensor in gguf.GGUFReader(adapter.ADAPTER).tensors}
    layers = len({name.split(".")[1] for name in names})
    assert names == {f"blk.{n}.{name}.weight.lora_{x}" for n in range(layers) for name in ADAPTED for x in "ab"}
