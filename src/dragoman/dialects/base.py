"""What a dialect is: a row of pure functions.

A *client dialect* is spoken by callers to us, an *upstream dialect* by us to a provider; a
wire format that is both has two rows. Everything here takes bytes and gives values or the
other way round; nothing waits, reads a clock or knows which provider it serves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from dragoman.canonical.conversation import Media
from dragoman.canonical.events import Event
from dragoman.canonical.fidelity import Fidelity
from dragoman.canonical.request import ChatRequest
from dragoman.canonical.response import ChatResponse
from dragoman.canonical.usage import Usage
from dragoman.errors import GatewayError
from dragoman.framing import Frame, FrameDecoder

Headers = Mapping[str, str]
"""Answer headers, names in lower case."""


class Sampling(StrEnum):
    """Which of ``temperature``, ``top_p`` and ``top_k`` a model takes."""

    ALL = "all"
    ONE = "one"
    """All, but not ``temperature`` and ``top_p`` together."""
    NONE = "none"


class Thinking(StrEnum):
    """How a model is made to think before it speaks, where its dialect has more than one way."""

    NONE = "none"
    BUDGET = "budget"
    """By a number of tokens."""
    ADAPTIVE = "adaptive"
    """It decides by itself, guided by an effort."""
    ALWAYS = "always"
    """As ``ADAPTIVE``, and it cannot be stopped."""


class ModelFacts(Struct, frozen=True, kw_only=True):
    """What a model can do, where dialects need to know. Data, see ``providers/catalogue.py``."""

    reasoning: bool = True
    """Accepts a reasoning effort."""
    json_schema: bool = True
    """Takes a response schema natively."""
    images: bool = True
    """Sees pictures."""
    documents: bool = True
    """Reads PDF files."""
    thinking: Thinking = Thinking.NONE
    """Anthropic's dialect."""
    efforts: tuple[str, ...] = ()
    """Anthropic's dialect: words for how hard the model tries, weakest first."""
    sampling: Sampling = Sampling.ALL
    forced_choice: bool = True
    """Can be made to call a tool."""
    prefill: bool = True
    """Goes on with an answer that the caller has begun."""
    inline_system: bool = False
    """Heeds instructions that stand between the turns."""
    max_output: int | None = None
    """Tokens of an answer at most, thoughts included."""
    max_completion_tokens: bool = False
    """OpenAI's dialect: calls the output limit so; elsewhere it is ``max_tokens``."""
    developer_role: bool = False
    """OpenAI's dialect: knows the role ``developer``; elsewhere it is sent as ``system``."""


class ReadRequest(Protocol):
    """A request as a client dialect reads it: checked, but translated only on demand."""

    model: str
    """The model as the caller names it; empty if the caller names none."""
    stream: bool

    def conversation(self) -> ChatRequest:
        """The whole request in canonical form. Raises ``InvalidRequest`` with the field's path."""
        ...

    def forwarded(self, model: str) -> Sequence[bytes]:
        """The body for an upstream of the same dialect: the caller's bytes but for what must
        change (``model``, and whatever makes the upstream report usage).
        """
        ...


class AnswerFacts(Struct, frozen=True, gc=False):
    """What a writer of answers needs besides the answer."""

    id: str
    """Id for the answer in the caller's spelling, made by the gateway, without a prefix."""
    created: int
    """Unix seconds."""
    model: str
    """The model as the caller asked for it."""


class StreamWriter(Protocol):
    """Canonical events to one client's bytes. Accepts every stream of the grammar."""

    def write(self, events: Iterable[Event]) -> bytes:
        """The bytes for ``events``; may be empty. A ``Failed`` becomes the dialect's in-stream
        error, after which nothing more may be written.
        """
        ...


class Passage(Protocol):
    """Same dialect on both sides: blocks pass as they came and are read beside.

    After each ``feed`` the attributes say what has been seen so far.
    """

    usage: Usage | None
    begun: bool
    """Something meaningful was seen: content, a call, an end."""
    complete: bool
    """The dialect's last word was seen."""
    error: GatewayError | None
    """The upstream reported an error inside the stream, or its bytes make no sense."""

    def feed(self, block: bytes) -> bytes:
        """What of ``block`` may go on to the client now; an incomplete event stays behind."""
        ...

    def close(self) -> bytes:
        """The upstream's bytes have ended: what is left. Sets ``error`` if it ended too early."""
        ...


class ClientDialect(Struct, frozen=True, kw_only=True):
    """A dialect as our clients speak it to us."""

    name: str
    read_request: Callable[[bytes], ReadRequest]
    """Raises ``InvalidRequest``."""
    write_response: Callable[[ChatResponse, ReadRequest, AnswerFacts], bytes]
    write_error: Callable[[GatewayError], bytes]
    """The body of an error answer."""
    stream_writer: Callable[[ReadRequest, AnswerFacts], StreamWriter]
    stream_error: Callable[[GatewayError], bytes]
    """An error inside a stream that has begun, where no writer is at work (``Passage``)."""
    passage: Callable[[ReadRequest], Passage]
    read_usage: Callable[[bytes], Usage | None]
    """Token counts of a whole answer of this dialect that is passed on as it came. Raises
    ``UpstreamBroken`` when it is no answer of this dialect at all."""


class Attachment(Struct, frozen=True):
    """A medium that the upstream wants in another form than the caller gave: as the id of an
    uploaded file, or as bytes that have to be fetched first.
    """

    media: Media
    path: str
    """Where the caller wrote it."""
    turn: int
    """Number of the message on the wire that carries it."""


class WrittenRequest(Struct, frozen=True, kw_only=True):
    """A request as an upstream dialect spells it, and what its answer's reader must know."""

    body: Sequence[bytes]
    fidelity: Fidelity
    tool_names: Mapping[str, str]
    """Name on the wire -> the caller's name, for the tools that had to be renamed."""
    stop: Sequence[str] = ()
    """Stop sequences that the upstream does not know: the gateway cuts the answer itself."""
    custom_tools: frozenset[str] = frozenset()
    """The caller's names of free-text tools that travel as functions with one string ``input``."""
    json_tool: str = ""
    """Wire name of the made-up function whose arguments are the text of the answer: structured
    output where the upstream has none of its own. Empty when there is none."""
    attachments: Sequence[Attachment] = ()
    """What has to be in another form before the request can be sent."""
    with_media: Callable[[Sequence[Media]], Sequence[bytes]] | None = None
    """The body with ``attachments`` in that form, one ``Media`` for each in their order. Set where
    there are any; ``body`` then has nothing in their places."""
    cites: bool = False
    """The answer may cite pages that the model has looked up, in a text for people to read."""
    wants_thoughts: bool = False
    """The model may think before it calls a tool, and wants to see these thoughts again, with
    their signatures, beside the tool's result."""


class StreamReader(Protocol):
    """Frames to canonical events. Keeps the grammar whatever the upstream does."""

    def read(self, data: bytes, event: bytes = b"") -> list[Event]:
        """The events that one frame brings. Malformed data gives ``Failed``, never raises."""
        ...

    def read_all(self, frames: list[Frame]) -> list[Event]:
        """The events of one or more frames that arrived together; the same as one by one."""
        ...

    def close(self) -> list[Event]:
        """The bytes have ended; if the answer had not, that is a ``Failed``."""
        ...


class UpstreamDialect(Struct, frozen=True, kw_only=True):
    """A dialect as we speak it to a provider."""

    name: str
    framing: Callable[[], FrameDecoder]
    write_request: Callable[[ChatRequest, ModelFacts], WrittenRequest]
    """Raises ``UnsupportedByTarget``."""
    read_response: Callable[[bytes, WrittenRequest], ChatResponse]
    """Raises ``UpstreamBroken``, or what ``read_error`` gives for an error inside a 200."""
    read_error: Callable[[int, Headers, bytes], GatewayError]
    stream_reader: Callable[[WrittenRequest], StreamReader]
    session_line: Callable[[ChatRequest, str], bytes] | None = None
    """Where requests of one conversation are to be told as such by a header: its line, ended by
    CRLF, for the conversation and the id of its caller."""
    signs_thoughts: bool = False
    """Calls in the history want the thoughts that led to them, signed: what the caller left out is
    looked up (see ``recollection``)."""
