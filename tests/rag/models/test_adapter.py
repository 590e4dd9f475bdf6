"""The merge, on a model of a few tensors that is written here."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from rag.models import adapter

CHANGED, KEPT, QUANTIZED = "blk.0.attn_q.weight", "blk.0.ffn_up.weight", "blk.0.attn_k.weight"
HALF = "blk.0.attn_v.weight"  # the adapter holds one of its two factors only
WIDTH, RANK = 64, 4
TOKENS = ["<s>", "ä", "None"]

Weights = dict[str, np.ndarray[tuple[int, int], np.dtype[np.float32]]]


def random(rows: int, columns: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


WEIGHTS: Weights = {CHANGED: random(32, WIDTH, 0), KEPT: random(8, WIDTH, 1), HALF: random(8, WIDTH, 2)}
A, B = random(RANK, WIDTH, 3), random(32, RANK, 4)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A model with a weight in 8 bits among plain ones, and a vocabulary."""
    path = tmp_path / "base.gguf"
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name("Base")
    writer.add_block_count(1)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_token_list(TOKENS)
    writer.add_token_types([3, 1, 1])
    writer.add_add_bos_token(False)
    for name, weights in WEIGHTS.items():
        writer.add_tensor(name, weights)
    q8 = gguf.GGMLQuantizationType.Q8_0
    writer.add_tensor(QUANTIZED, gguf.quantize(random(32, WIDTH, 5), q8), raw_dtype=q8)
    finish(writer)
    return path


@pytest.fixture
def change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An adapter that changes two of its weights."""
    path = tmp_path / "adapter.gguf"
    writer = gguf.GGUFWriter(path, "qwen2")
    for name in (CHANGED, QUANTIZED):
        writer.add_tensor(f"{name}.lora_a", A.astype(np.float16))
        writer.add_tensor(f"{name}.lora_b", B.astype(np.float16))
    writer.add_tensor(f"{HALF}.lora_a", A)
    finish(writer)
    monkeypatch.setattr(adapter, "ADAPTER", path)
    return path


def finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tensors(path: Path) -> dict[str, gguf.ReaderTensor]:
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


def values(tensor: gguf.ReaderTensor) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)


@pytest.fixture
def merged(base: Path, change: Path, tmp_path: Path) -> Path:
    path = tmp_path / "merged.gguf"
    adapter.merge(base, path)
    return path


@pytest.mark.parametrize("name", [CHANGED, QUANTIZED])
def test_a_changed_weight_is_the_base_s_and_the_adapter_s_product_within_eight_bits(
    base: Path, merged: Path, name: str
) -> None:
    before, after = values(tensors(base)[name]), tensors(merged)[name]
    product = B.astype(np.float16).astype(np.float32) @ A.astype(np.float16).astype(np.float32)
    assert np.abs(product).max() > 1, "a change that rounding would hide"
    assert after.tensor_type is gguf.GGMLQuantizationType.Q8_0
    wanted = before + product
    # Blocks of 32 share a scale, their largest value in 127 steps; the scale is kept in half precision.
    step = np.abs(wanted).reshape(-1, 32).max(axis=1, keepdims=True) / 127
    error = np.abs(values(after) - wanted).reshape(-1, 32)
    assert (error <= 0.6 * step).all()


@pytest.mark.parametrize("name", [KEPT, HALF])
def test_every_other_weight_is_the_base_s_byte_for_byte(base: Path, merged: Path, name: str) -> None:
    before, after = tensors(base)[name], tensors(merged)[name]
    assert after.tensor_type is before.tensor_type
    assert after.shape.tolist() == before.shape.tolist()
    assert after.data.tobytes() == before.data.tobytes()


def test_all_weights_are_there_in_their_order_and_what_is_said_of_them_under_its_own_name(
    base: Path, merged: Path
) -> None:
    assert list(tensors(merged)) == list(tensors(base))
    before, after = (
        {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items() if name[:5] != "GGUF."}
        for path in (base, merged)
    )
    assert before.pop("general.name") == "Base"
    assert after.pop("general.name") == adapter.NAME
    assert after == before
    assert after["tokenizer.ggml.tokens"] == TOKENS


def test_progress_counts_the_weights(base: Path, change: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    adapter.merge(base, tmp_path / "merged.gguf", lambda *step: steps.append(step))
    assert steps == [(n, 4) for n in range(1, 5)]


def test_the_digest_is_the_adapter_s_own(change: Path) -> None:
    adapter.digest.cache_clear()
    try:
        first = adapter.digest()
        change.write_bytes(change.read_bytes() + b"more")
        assert adapter.digest() == first, "it is read once"
        adapter.digest.cache_clear()
        assert adapter.digest() != first
        assert len(first) == 12
    finally:
        adapter.digest.cache_clear()


@pytest.mark.parametrize("method", ["add_tensor", "write_header_to_file", "write_tensors_to_file"])
def test_where_it_fails_nothing_is_left_and_what_was_there_stays(
    base: Path, change: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def full(self: gguf.GGUFWriter, *_: object, **__: object) -> None:
        if self.fout:
            for file in self.fout:
                file.write(b"a half")
        raise OSError(28, "No space left on device")

    old = tmp_path / "merged.gguf"
    old.write_bytes(b"GGUF as it was")
    before = set(tmp_path.iterdir())
    monkeypatch.setattr(gguf.GGUFWriter, method, full)
    with pytest.raises(OSError, match="No space left"):
        adapter.merge(base, old)
    assert set(tmp_path.iterdir()) == before
    assert old.read_bytes() == b"GGUF as it was"


def test_the_bundled_adapter_has_both_factors_of_each_weight_and_no_scale_of_its_own() -> None:
    reader = gguf.GGUFReader(adapter.ADAPTER)
    shapes = {tensor.name: tensor.shape.tolist() for tensor in reader.tensors}  # columns first
    names = {name.rsplit(".", 1)[0] for name in shapes}
    assert set(shapes) == {f"{name}.{factor}" for name in names for factor in ("lora_a", "lora_b")}
    ranks = {shapes[f"{name}.lora_a"][1] for name in names} | {shapes[f"{name}.lora_b"][0] for name in names}
    assert ranks == {reader.fields["adapter.lora.alpha"].contents()}, "merging takes the product as it is"
