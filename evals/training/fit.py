"""Fits the adapter to the examples. Needs PyTorch, NumPy and `gguf` alone, so that it runs on a borrowed GPU as it
does here.

    python fit.py MODEL.gguf EXAMPLES.npz ADAPTER.npz --minutes 7

EXAMPLES.npz holds `tokens` (all examples in one row), `weights` (how much each token is learned, 0 for what is read),
`ends` (where each example ends) and `held` (1 for those that are only measured). Writes the adapter whenever it has
measured, with the tokens seen so far beside it (ADAPTER.seen), so that a run that is cut off goes on from there.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

try:
    from evals.training.qwen import Qwen, load
except ImportError:  # run as a file
    from qwen import Qwen, load  # type: ignore[import-not-found,no-redef]


SCALE = 2.0  # of the learned change
BATCH_TOKENS = 16_384
_MEASURED = 500  # of the held examples, spread over all of them


class Examples:
    """Examples as tokens and weights, one after the other."""

    def __init__(self, path: Path) -> None:
        told = np.load(path)
        self.tokens, self.weights, self.held = told["tokens"].astype(np.int64), told["weights"], told["held"]
        self.ends = told["ends"]
        self.starts = np.concatenate([[0], self.ends[:-1]])
        self.lengths = self.ends - self.starts

    def batches(self, which: Sequence[int], most: int, shuffle: random.Random | None) -> Iterator[list[int]]:
        """Examples of about the same length together, at most so many tokens with their padding; shuffled, where the
        lengths are only about in order, a few more."""
        order = sorted(which, key=lambda n: self.lengths[n] + (shuffle.random() * 24 if shuffle else 0))
        batches: list[list[int]] = [[]]
        for n in order:
            if (len(batches[-1]) + 1) * int(self.lengths[n]) > most and batches[-1]:
                batches.append([])
            batches[-1].append(n)
        if shuffle:
            shuffle.shuffle(batches)
        return iter(batches)

    def padded(self, batch: Sequence[int], device: str) -> tuple[Tensor, Tensor]:
        """Tokens and weights, shape (batch, longest)."""
        longest = int(max(self.lengths[n] for n in batch))
        tokens = np.zeros((len(batch), longest), np.int64)
        weights = np.zeros((len(batch), longest), np.float32)
        for row, n in enumerate(batch):
            tokens[row, : self.lengths[n]] = self.tokens[self.starts[n] : self.ends[n]]
            weights[row, : self.lengths[n]] = self.weights[self.starts[n] : self.ends[n]]
        return torch.from_numpy(tokens).to(device), torch.from_numpy(weights).to(device)


def predicted(model: Qwen, tokens: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For every learned token the logits at its place, shape (n, vocabulary), the token, and its weight."""
    wanted = torch.zeros_like(weights, dtype=torch.bool)
    wanted[:, :-1] = weights[:, 1:] > 0
    logits = model(tokens, wanted)
    return logits, tokens[:, 1:][wanted[:, :-1]], weights[:, 1:][wanted[:, :-1]]


def losses(model: Qwen, tokens: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of every learned token, and its weight."""
    logits, targets, weight = predicted(model, tokens, weights)
    return functional.cross_entropy(logits, targets, reduction="none"), weight


def measure(model: Qwen, examples: Examples, held: Sequence[int], most: int, device: str) -> str:
    """Losses on the held examples: all learned tokens, and the heavy ones (decisions) with how often they are right."""
    total, heavy, right = [], [], []
    with torch.no_grad():
        for batch in examples.batches(held, most, None):
            logits, targets, weight = predicted(model, *examples.padded(batch, device))
            loss = functional.cross_entropy(logits, targets, reduction="none")
            total.append(loss[weight <= 1].cpu())
            heavy.append(loss[weight > 1].cpu())
            right.append((logits.argmax(-1) == targets)[weight > 1].float().cpu())
    return (
        f"held: words {torch.cat(total).mean():.4f}, decisions {torch.cat(heavy).mean():.4f}, "
        f"right {torch.cat(right).mean():.4f}"
    )


def save(model: Qwen, path: Path, scale: float, seen: int = 0) -> None:
    """The adapter's two matrices of every map, the scale multiplied into the first, as 16-bit floats."""
    maps: dict[str, Any] = {}
    for name, adapted in model.learned():
        maps[f"{name}.a"] = (adapted.a.detach().float() * scale).cpu().numpy().astype(np.float16)
        maps[f"{name}.b"] = adapted.b.detach().float().cpu().numpy().astype(np.float16)
    with path.with_suffix(".part").open("wb") as file:
        np.savez(file, **maps)
    path.with_suffix(".part").replace(path)
    path.with_suffix(".seen").write_text(f"{seen}\n", encoding="utf-8")


def resume(model: Qwen, path: Path, scale: float) -> int:
    """Go on from a saved adapter; the tokens that it has seen, 0 where there is none."""
    if not (path.exists() and path.with_suffix(".seen").exists()):
        return 0
    told = np.load(path)
    with torch.no_grad():
        for name, adapted in model.learned():
            adapted.a.copy_(torch.from_numpy(told[f"{name}.a"].astype(np.float32) / scale))
            adapted.b.copy_(torch.from_numpy(told[f"{name}.b"].astype(np.float32)))
    return int(path.with_suffix(".seen").read_text(encoding="utf-8"))


def export(adapter: Path, out: Path) -> None:
    """The adapter as a LoRA file of llama.cpp's."""
    import gguf

    told = np.load(adapter)
    rank = told[told.files[0]].shape[0]
    writer = gguf.GGUFWriter(out, "qwen2")
    writer.add_type("adapter")
    writer.add_name("Dateline reader")
    writer.add_license("apache-2.0")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(rank))  # the scale is in the matrices already
    for name in told.files:
        writer.add_tensor(name[:-2] + (".lora_a" if name.endswith(".a") else ".lora_b"), told[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def fit(
    model_path: Path, examples_path: Path, adapter: Path, *, minutes: float, epochs: float, rank: int, scale: float,
    rate: float, batch_tokens: int, device: str, seed: int = 7,
) -> None:  # fmt: skip
    """Train until the epochs or the minutes are over; the learning rate falls to nothing by then."""
    begin = time.monotonic()
    torch.manual_seed(seed)
    shuffle = random.Random(seed)  # noqa: S311 (no secret)
    model = load(model_path, device, rank, scale)
    examples = Examples(examples_path)
    print(f"loaded after {time.monotonic() - begin:.0f} s", flush=True)
    held = [n for n in range(len(examples.ends)) if examples.held[n]]
    held = held[:: max(1, len(held) // _MEASURED)]
    learned = [n for n in range(len(examples.ends)) if not examples.held[n]]
    parameters = [parameter for _, adapted in model.learned() for parameter in (adapted.a, adapted.b)]
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.0, betas=(0.9, 0.98))
    whole = sum(int(examples.lengths[n]) for n in learned) * epochs
    seen, step, epoch, shown = resume(model, adapter, scale), 0, 0, time.monotonic()
    before = seen
    if seen:
        print(f"goes on after {seen:,} tokens", flush=True)
    recent: list[Tensor] = []
    print(measure(model, examples, held, batch_tokens, device), flush=True)
    training = time.monotonic()
    while True:
        for batch in examples.batches(learned, batch_tokens, shuffle):
            spent = (time.monotonic() - training) / (60 * minutes - (training - begin))
            done = max(seen / whole, spent)
            if done >= 1:
                break
            for group in optimizer.param_groups:
                group["lr"] = rate * min(1.0, (step + 1) / 30) * (0.5 + 0.5 * math.cos(math.pi * done))
            loss, weight = losses(model, *examples.padded(batch, device))
            mean = (loss * weight).sum() / weight.sum()
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(mean)
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            seen += sum(int(examples.lengths[n]) for n in batch)
            step += 1
            recent.append(mean.detach())
            if step % 50 == 0:
                told = torch.stack(recent[-50:]).mean().item()
                rest = (time.monotonic() - training) * (1 / max(done, 1e-9) - 1)
                speed = (seen - before) / (time.monotonic() - training)
                print(f"step {step}, {done:.0%}, loss {told:.4f}, {speed:,.0f} tokens/s, {rest:.0f} s left", flush=True)
            if time.monotonic() - shown > 75:
                print(measure(model, examples, held, batch_tokens, device), flush=True)
                save(model, adapter, scale, seen)
                shown = time.monotonic()
        else:
            epoch += 1
            continue
        break
    print(f"{step} steps, {epoch} epochs and {seen:,} tokens in {time.monotonic() - begin:.0f} s", flush=True)
    save(model, adapter, scale, seen)
    print(measure(model, examples, held, batch_tokens, device), flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("examples", type=Path)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("--minutes", type=float, default=600.0, help="stop after so long, loading included")
    parser.add_argument("--epochs", type=float, default=2.3)
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--scale", type=float, default=SCALE)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--batch-tokens", type=int, default=BATCH_TOKENS)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    told = parser.parse_args()
    fit(
        told.model, told.examples, told.adapter, minutes=told.minutes, epochs=told.epochs, rank=told.rank,
        scale=told.scale, rate=told.rate, batch_tokens=told.batch_tokens, device=told.device,
    )  # fmt: skip


if __name__ == "__main__":
    main()
