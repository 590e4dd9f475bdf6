"""The reader's adapter, merged into the model that it was trained on: llama.cpp reads a third slower with it beside.

The adapter is a low-rank change of the attention's weights, as llama.cpp's own LoRA files hold it. Merged weights are
kept with 8 bits: in 4 the change, a tenth of a weight, would be rounded away. docs/training.md says how it was trained.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path

ADAPTER = Path(__file__).parent / "reader.gguf"
NAME = "Dateline-Reader-1.5B"  # the bundled model with the adapter merged into it
_SUFFIXES = (".lora_a", ".lora_b")


@cache
def digest() -> str:
    """SHA-256 of the adapter, its first twelve digits."""
    return hashlib.sha256(ADAPTER.read_bytes()).hexdigest()[:12]


def merge(base: Path, merged: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Write the base model with the adapter merged into it, complete or not at all.

    Args:
        progress: told how many tensors are done, of how many.

    Raises:
        OSError: a file can't be read or written.
    """
    import gguf  # 0.2 s, and only at set-up
    import numpy as np

    change = {
        tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type) for tensor in gguf.GGUFReader(ADAPTER).tensors
    }
    reader = gguf.GGUFReader(base)
    partial = merged.with_suffix(".part")
    writer = gguf.GGUFWriter(partial, str(reader.fields["general.architecture"].contents()))
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name not in ("general.architecture", "general.name"):
            inner = field.types[-1] if field.types[0] is gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], sub_type=inner)
    writer.add_name(NAME)
    for done, tensor in enumerate(reader.tensors, start=1):
        a, b = (change.get(tensor.name + suffix) for suffix in _SUFFIXES)
        data, kind = tensor.data, tensor.tensor_type
        if a is not None and b is not None:
            whole = gguf.dequantize(data, kind) + b.astype(np.float32) @ a.astype(np.float32)
            data, kind = gguf.quantize(whole, gguf.GGMLQuantizationType.Q8_0), gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
        progress(done, len(reader.tensors))
    try:
        with closing(writer):
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        partial.replace(merged)
    finally:
        partial.unlink(missing_ok=True)
