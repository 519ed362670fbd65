"""A ``Listener`` that writes down what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dragoman.errors import UpstreamError
from dragoman.transport.calls import Head
from support.polling import until


class RecordingListener:
    def __init__(self, on_event: Callable[[str], None] | None = None) -> None:
        self.events: list[str] = []
        self.status = 0
        self.headers: dict[str, str] = {}
        self.blocks: list[bytes] = []
        self.error: UpstreamError | None = None
        self.over = asyncio.Event()
        self._on_event = on_event

    @property
    def body(self) -> bytes:
        return b"".join(self.blocks)

    def head(self, head: Head) -> None:
        assert self.events == [], "the head comes first and once"
        self.status = head.status
        self.headers = head.headers
        self._happened("head")

    def data(self, block: bytes) -> None:
        assert self.events[:1] == ["head"]
        assert not self.over.is_set(), "nothing follows the end"
        assert block
        self.blocks.append(block)
        self._happened("data")

    def end(self, block: bytes) -> None:
        assert self.events[:1] == ["head"]
        assert not self.over.is_set(), "nothing follows the end"
        self.blocks.append(block)
        self.over.set()
        self._happened("end")

    def lost(self, error: UpstreamError) -> None:
        assert not self.over.is_set(), "nothing follows the end"
        self.error = error
        self.over.set()
        self._happened("lost")

    async def finished(self, seconds: float = 10.0) -> RecordingListener:
        await asyncio.wait_for(self.over.wait(), seconds)
        return self

    async def happened(self, event: str, seconds: float = 10.0) -> None:
        """Wait until ``event`` was told."""
        await until(lambda: event in self.events, seconds)

    def _happened(self, event: str) -> None:
        self.events.append(event)
        if self._on_event is not None:
            self._on_event(event)
