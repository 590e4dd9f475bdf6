"""Articles that are copies of each other: syndicated, re-posted, sent twice. By their word shingles; knows no store.

The share of shingles that two texts have in common is estimated from MinHash signatures; bands of the signature find
the few texts that are worth comparing (locality-sensitive hashing).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from datasketch import MinHash

from index.words import words

Signature = npt.NDArray[np.uint32]

SAME = 0.7  # of the shingles that two copies have in common at least; docs/tuning.md
_SHINGLE = 5  # words
_HASHES = 64
_BAND = 4  # hashes that must all agree; 16 bands find a pair at .7 with .99
_VERSION = b"1"  # of the shingles and hashes


def signature(text: str) -> Signature:
    """The MinHash signature of a text, shape (64,)."""
    said = words(text)
    shingles = {" ".join(said[n : n + _SHINGLE]).encode() for n in range(max(1, len(said) - _SHINGLE + 1))}
    made = MinHash(num_perm=_HASHES, hashfunc=zlib.crc32)
    made.update_batch(shingles)
    return np.asarray(made.hashvalues, np.uint32)


def bands(of: Signature) -> Iterator[int]:
    """A number for each band of a signature, which its copies mostly share."""
    for number, begin in enumerate(range(0, _HASHES, _BAND)):
        yield zlib.crc32(_VERSION + bytes([number]) + of[begin : begin + _BAND].tobytes())


def are_copies(one: Signature, other: Signature) -> bool:
    """Whether two texts are, by their signatures, copies of each other."""
    return float((one == other).mean()) >= SAME
