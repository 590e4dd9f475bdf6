"""What a server tells of itself: the models that it lists, and how large a model's context is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from rag.models.reply import at

Ask = Callable[[str, Any], Any]  # an address, what to post or None → the server's JSON, None if it has none there

_SHOWN_MODELS = 20
_OLLAMA_CONTEXT = 4096  # Ollama's smallest default; it cuts longer prompts without a word


def is_among(model: str, listed: Sequence[Any]) -> bool:
    """Whether a server that lists these models answers to that name."""
    if [at(entry, "owned_by") for entry in listed] == ["llamacpp"]:
        return True  # llama.cpp's server answers to any name
    spellings = (model, f"{model}:latest")  # as Ollama names a model without a tag
    return any(at(entry, "id") in spellings for entry in listed)


def names(listed: Sequence[Any]) -> str:
    """The first of the listed models' names, as a text."""
    all_names = sorted(str(at(entry, "id")) for entry in listed)
    more = f" and {len(all_names) - _SHOWN_MODELS} more" if len(all_names) > _SHOWN_MODELS else ""
    return ", ".join(all_names[:_SHOWN_MODELS]) + more


def told_window(ask: Ask, url: str, root: str, model: str, configured: int | None) -> int | None:
    """The most tokens of prompt and answer together, None if the server tells nothing. Each kind of server has its own
    place to tell it.

    Args:
        configured: what the user says; believed before Ollama's default, which Ollama does not tell.
    """
    entry = _entry(ask(f"{url}/models", None), model)
    return (
        # vLLM, and what hosted endpoints call it
        _first(entry, "max_model_len", "context_length", "context_window", "max_context_length")
        or _number(at(ask(f"{root}/props", None), "default_generation_settings", "n_ctx"))  # llama.cpp: of one slot
        or _ollama(ask, root, model, configured)
        or _first(_entry(ask(f"{root}/api/v0/models", None), model), "loaded_context_length", "max_context_length")
    )


def _ollama(ask: Ask, root: str, model: str, configured: int | None) -> int | None:
    shown = ask(f"{root}/api/show", {"model": model})
    info = at(shown, "model_info")
    if not isinstance(info, dict):
        return None
    if found := re.search(r"^num_ctx\s+(\d+)", str(at(shown, "parameters") or ""), re.MULTILINE):
        return int(found[1])
    largest = next((_number(value) for name, value in info.items() if name.endswith(".context_length")), None)
    wanted = configured or _OLLAMA_CONTEXT
    return min(largest, wanted) if largest else wanted


def _entry(listing: Any, model: str) -> Any:
    entries = at(listing, "data")
    return next((e for e in entries if at(e, "id") == model), None) if isinstance(entries, list) else None


def _first(entry: Any, *names: str) -> int | None:
    return next((number for name in names if (number := _number(at(entry, name)))), None)


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and value >= 1 else None
