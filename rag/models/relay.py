"""A generator that is run on a thread of its own, so that whoever waits for it can leave at any moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_POLL_SECONDS = 0.05


class Stopped(Exception):
    """Nobody waits for the rest any more."""


def relay(
    make: Callable[[Callable[[], bool]], Generator[_Item, None, _Result]], stop: threading.Event | None = None
) -> Generator[_Item, None, _Result]:
    """What a generator gives, its result and its error.

    Args:
        make: the generator, given a function that tells it whether it has been left; it should look often.
        stop: set, from any thread, when nobody waits any more.

    Raises:
        Stopped: `stop` was set; at once, whatever the generator does at that moment.
    """
    arrived: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    left = threading.Event()

    def run() -> None:
        source = make(left.is_set)
        try:
            while not left.is_set():
                arrived.put(("item", next(source)))
        except StopIteration as end:
            arrived.put(("result", end.value))
        except BaseException as error:
            arrived.put(("error", error))
        finally:
            source.close()

    threading.Thread(target=run, name="relay", daemon=True).start()
    try:
        while True:
            if stop is not None and stop.is_set():
                raise Stopped
            try:
                kind, value = arrived.get(timeout=_POLL_SECONDS)
            except Empty:
                continue
            if kind == "error":
                raise value
            if kind == "result":
                result: _Result = value
                return result
            yield value
    finally:
        left.set()
