"""Notes what clients ask and what they are told, for those who write it down.

A ``Tap`` stands between an exchange and its client. An exchange is settled before the last
byte of its answer goes out, so that the note is complete only when both have happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from dragoman.clock import Clock
from dragoman.pipeline import Arrival
from dragoman.sides import Answer, ClientSide, Outcome
from dragoman.telemetry.bodies import KEPT, kept
from dragoman.telemetry.traffic import Conversation


class Reader(Protocol):
    """Who wants to know of conversations. Must be quick and never raise."""

    wants_bodies: bool

    def began(self, conversation: Conversation) -> None: ...
    def ended(self, conversation: Conversation) -> None: ...


class Recorder:
    """Makes taps, and completes their notes."""

    def __init__(self, readers: Sequence[Reader], routes: Mapping[str, str], clock: Clock) -> None:
        """``routes``: name of a client dialect -> the path where it is spoken."""
        self._readers: Final = readers
        self._routes = routes
        self._clock = clock
        self._wants_bodies = any(reader.wants_bodies for reader in readers)
        self._open: dict[str, Tap] = {}

    def tap(self, arrival: Arrival, peer: str, client: ClientSide) -> ClientSide:
        """``client``, whose address is ``peer``, with a tap before it."""
        head = arrival.head
        protocol = head.dialect.name
        note = Conversation(
            self._clock.wall(),
            arrival.request_id,
            self._routes.get(protocol, ""),
            protocol,
            head.headers,
            kept(arrival.body) if self._wants_bodies else b"",
            len(arrival.body),
            peer,
            head.tokens[0] if head.tokens else b"",
        )
        for reader in self._readers:
            reader.began(note)
        tap = self._open[arrival.request_id] = Tap(
            client, note, self._finished, keeps=self._wants_bodies
        )
        return tap

    def settled(self, arrival: Arrival, outcome: Outcome, seconds: float) -> None:
        """An observer of the pipeline."""
        tap = self._open.pop(arrival.request_id, None)
        if tap is None:
            return
        note, usage = tap.note, outcome.usage
        note.caller, note.model = arrival.caller, arrival.model
        note.target, note.status = outcome.target or "", outcome.status
        note.seconds = seconds
        note.error = outcome.error.kind if outcome.error is not None else None
        note.client_left = outcome.client_left
        if usage is not None:
            note.tokens = {
                "input": usage.input_total,
                "output": usage.output,
                "cached": usage.cache_read,
            }
        if outcome.client_left:  # nothing more will be said
            self._finished(tap)

    def _finished(self, tap: Tap) -> None:
        tap.note.answer = kept(b"".join(tap.parts))
        for reader in self._readers:
            reader.ended(tap.note)


class _Finished(Protocol):
    def __call__(self, tap: Tap, /) -> None: ...


class Tap:
    """Passes everything on and keeps the beginning of it."""

    __slots__ = ("_client", "_finished", "_keeps", "note", "parts")

    def __init__(
        self, client: ClientSide, note: Conversation, finished: _Finished, *, keeps: bool
    ) -> None:
        self._client = client
        self._finished = finished
        self._keeps = keeps
        self.note = note
        self.parts: list[bytes] = []

    def reply(self, answer: Answer, body: bytes) -> None:
        self._keep(body)
        self._finished(self)
        self._client.reply(answer, body)

    def open(self, answer: Answer, block: bytes) -> None:
        self._keep(block)
        self._client.open(answer, block)

    def write(self, block: bytes) -> None:
        self._keep(block)
        self._client.write(block)

    def close(self, block: bytes) -> None:
        self._keep(block)
        self._finished(self)
        self._client.close(block)

    def _keep(self, block: bytes) -> None:
        note = self.note
        if self._keeps and note.answer_size < KEPT:
            self.parts.append(kept(block))
        note.answer_size += len(block)
