"""Answers being written: each on a thread of its own, and which one belongs to which browser tab."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import date
from queue import Empty, SimpleQueue

from rag.assistant import Assistant, Event, TextAdded
from rag.types import Turn

BEAT_S = 0.05

_log = logging.getLogger(__name__)


class Writing:
    """One answer being written on a thread of its own, so that stopping never waits for a word.

    The assistant's generator is only ever touched by that thread: closing a generator that is
    running on another one raises. stop() ends it at once, even before the model's first word.
    """

    def __init__(self, assistant: Assistant, question: str, history: Sequence[Turn]) -> None:
        self._assistant = assistant
        self._arrived: SimpleQueue[Event | Exception | None] = SimpleQueue()
        self._stop = threading.Event()
        threading.Thread(target=self._write, args=(question, history), name="writing", daemon=True).start()

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        self._stop.set()
        self._arrived.put(None)

    def batches(self) -> Iterator[list[Event]]:
        """Events in the order written, gathered over short beats; raises what the assistant did."""
        while True:
            batch, more = self._gather()
            if self.stopped:
                return
            if batch:
                yield batch
            if not more:
                return

    def _gather(self) -> tuple[list[Event], bool]:
        batch: list[Event] = []
        arrived = self._arrived.get()
        while True:
            if arrived is None:
                return batch, False
            if isinstance(arrived, Exception):
                if not batch:
                    raise arrived
                self._arrived.put(arrived)
                return batch, True
            batch.append(arrived)
            if isinstance(arrived, TextAdded) and len(batch) == 1:
                time.sleep(BEAT_S)
            try:
                arrived = self._arrived.get_nowait()
            except Empty:
                return batch, True

    def _write(self, question: str, history: Sequence[Turn]) -> None:
        try:
            today = date.today().isoformat()
            stream = self._assistant.stream(question, history=history, asked=today, stop=self._stop)
            with contextlib.closing(stream):
                for event in stream:
                    if self.stopped:
                        return
                    self._arrived.put(event)
        except Exception as error:
            _log.exception("the assistant failed")
            self._arrived.put(error)
        else:
            self._arrived.put(None)


class Desk:
    """Which answer is being written for which tab, so that Stop finds it."""

    def __init__(self) -> None:
        self._writing: dict[str, Writing] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def at_work(self, tab: str, writing: Writing) -> Iterator[Writing]:
        with self._lock:
            earlier = self._writing.get(tab)
            self._writing[tab] = writing
        if earlier is not None:
            earlier.stop()
        try:
            yield writing
        finally:
            # Reached on a finished answer, and when Gradio closes us because the tab is gone.
            writing.stop()
            with self._lock:
                if self._writing.get(tab) is writing:
                    del self._writing[tab]

    def stop(self, tab: str) -> None:
        with self._lock:
            writing = self._writing.get(tab)
        if writing is not None:
            writing.stop()
