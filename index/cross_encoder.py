"""A sentence-transformers CrossEncoder that a user names: loaded from this machine, never from the network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from index.errors import ConfigError

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder


def load(name: str, role: str, wanted: str, variable: str) -> CrossEncoder:
    """The model of a folder, or of an id that is already in the hub's cache.

    Args:
        role, wanted, variable: for the error: what the model is to be, what a folder has to hold, and the setting.

    Raises:
        ConfigError: the model can't be found on this machine.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from sentence_transformers import CrossEncoder

    try:
        model: CrossEncoder = CrossEncoder(name, device="cpu", local_files_only=True)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The {role} {name!r} is not on this machine ({type(error).__name__}). Name a folder that holds "
            f"{wanted}, or leave the setting away ({variable})."
        ) from error
    return model
