"""The fakes around an exchange; each refuses what the real thing could not do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dragoman.dialects import gigachat, openai_chat
from dragoman.dialects.base import ModelFacts
from dragoman.errors import GatewayError
from dragoman.providers.base import Credential
from dragoman.sides import Answer
from dragoman.transport.calls import Call, Listener


class FakeClient:
    """The client's connection; refuses what a real one could not do. ``written`` is called when
    the last bytes were handed over, and may find that the client reads slowly.
    """

    def __init__(self, written: Callable[[], None]) -> None:
        self._written = written
        self.answer: Answer | None = None
        self.body = b""
        self.is_over = False
        self.is_gone = False

    def _speak(self) -> None:
        assert not self.is_over, "nothing is written after the end"
        assert not self.is_gone, "nothing is written to a client that has left"

    def reply(self, answer: Answer, body: bytes) -> None:
        self._speak()
        assert self.answer is None
        self.answer, self.body, self.is_over = answer, body, True

    def open(self, answer: Answer, block: bytes) -> None:
        self._speak()
        assert self.answer is None
        assert answer.status == 200
        self.answer, self.body = answer, block

    def write(self, block: bytes) -> None:
        self._speak()
        assert self.answer is not None
        assert block
        self.body += block

    def close(self, block: bytes) -> None:
        self._speak()
        assert self.answer is not None
        self.body += block
        self.is_over = True
        self._written()


class FakeSigner:
    """A credential whose token may have to be fetched, and may be refused."""

    def __init__(self) -> None:
        self.is_fresh = True
        self.waiting: list[Callable[[GatewayError | None], None]] = []

    def authorization(self) -> bytes | None:
        return b"authorization: Bearer x\r\n" if self.is_fresh else None

    def when_ready(self, told: Callable[[GatewayError | None], None]) -> Callable[[], None]:
        self.waiting.append(told)
        return lambda: self.waiting.remove(told) if told in self.waiting else None

    def rejected(self, authorization: bytes) -> bool:
        self.is_fresh = False
        return True


class FakeProvider:
    """Speaks the dialect that its model is named for."""

    kind = "fake"

    def __init__(self, name: str, signers: list[FakeSigner]) -> None:
        self.name = name
        self.credentials = [Credential(f"{name}/{n}", s) for n, s in enumerate(signers)]

    def dialect(self, model: str, api=None):
        return {"gigachat": gigachat.UPSTREAM, "openai_chat": openai_chat.UPSTREAM}[model]

    def facts(self, model: str) -> ModelFacts:
        return ModelFacts()

    def head(self, model: str, api=None, *, stream: bool) -> bytes:
        return b"POST / HTTP/1.1\r\nhost: x\r\n"


@dataclass(eq=False)
class FakeFlight:
    """A call under way; the world plays the upstream's part."""

    call: Call
    listener: Listener
    model: str
    stream: bool
    rest: bytes | None = None
    """What the upstream will still say; ``None`` before its head."""
    is_over: bool = False
    is_paused: bool = False

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    def abort(self) -> None:
        self.is_over = True


@dataclass
class FakeOrigin:
    flights: list[FakeFlight] = field(default_factory=list)
    model: str = ""
    stream: bool = False

    def send(self, call: Call, listener: Listener) -> FakeFlight:
        is_stream = b'"stream":true' in b"".join(call.body).replace(b" ", b"")
        is_giga = b"openai" not in b"".join(call.body)
        flight = FakeFlight(call, listener, "gigachat" if is_giga else "openai_chat", is_stream)
        self.flights.append(flight)
        return flight
