"""What an evaluation keeps so as not to do it again: JSON values in a folder, under digests of what determines them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.record import write_whole


@dataclass(frozen=True)
class JsonCache:
    """Objects in a folder, one small file each; `fresh` looks none up and writes all anew."""

    folder: Path
    fresh: bool = False

    def get(self, key: str) -> dict[str, Any] | None:
        """What was put under the key; None for nothing, or for a file that is damaged."""
        try:
            value = None if self.fresh else json.loads(self._path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        write_whole(self._path(key), json.dumps(value, ensure_ascii=False))

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def digest(value: Any) -> str:
    """SHA-256 of a value as JSON, in hexadecimal digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
