"""Chat Completions streams for tests: making them, reading them, reading them with the SDK."""

import json

from openai.types.chat import ChatCompletionChunk

from dragoman.canonical.events import Failed, Grammar
from dragoman.canonical.fold import fold
from dragoman.dialects.base import AnswerFacts
from dragoman.dialects.openai_chat import CLIENT, UPSTREAM
from dragoman.framing.sse import SseDecoder

FACTS = AnswerFacts(id="ours", created=1767225600, model="asked")


def chunk(*choices, **members):
    """One chunk; a choice is a delta's dict or ``(index, delta, finish_reason)``."""
    listed = []
    for choice in choices:
        index, delta, reason = choice if isinstance(choice, tuple) else (0, choice, None)
        listed.append({"index": index, "delta": delta, "finish_reason": reason})
    return {"id": "up-1", "created": 5, "model": "up", "choices": listed, **members}


def sse(*chunks, done=True, end="\n\n"):
    """The bytes of a stream; a ``str`` among the chunks goes in as it is."""
    lines = [item if isinstance(item, str) else f"data: {json.dumps(item)}" for item in chunks]
    if done:
        lines.append("data: [DONE]")
    return "".join(line + end for line in lines).encode()


def read_stream(blocks):
    """The events of a stream in blocks, which has to keep the grammar."""
    decoder = SseDecoder()
    reader = UPSTREAM.stream_reader(None)
    events = []
    for block in blocks:
        for frame in decoder.feed(block):
            events += reader.read(frame.data, frame.event)
    for frame in decoder.close():
        events += reader.read(frame.data, frame.event)
    events += reader.close()
    grammar = Grammar()
    for event in events:
        assert grammar.accepts(event), event
    assert grammar.over
    return events


def client_request(**members):
    body = {"model": "asked", "messages": [{"role": "user", "content": "x"}], **members}
    return CLIENT.read_request(json.dumps(body).encode())


def streamed_request(*, usage=True, **members):
    options = {"include_usage": usage}
    return client_request(stream=True, stream_options=options, **members)


def write_stream(events, request=None, blocks=1):
    """What a caller gets for ``events``."""
    writer = CLIENT.stream_writer(request or streamed_request(), FACTS)
    size = max(1, len(events) // blocks)
    pieces = [events[at : at + size] for at in range(0, len(events), size)]
    return b"".join(writer.write(piece) for piece in pieces)


def frames_of(data):
    decoder = SseDecoder()
    return [frame.data for frame in decoder.feed(data) + decoder.close()]


def chunks_of(data):
    return [json.loads(frame) for frame in frames_of(data) if frame != b"[DONE]"]


class SdkReading:
    """What the official SDK's chunk models say of a stream, put together as its users do."""

    def __init__(self, chunks):
        self.texts = {}
        self.calls = {}
        self.reasons = {}
        self.usage = None
        for body in chunks:
            chunk = ChatCompletionChunk.construct(**body)
            if chunk.usage:
                self.usage = chunk.usage
            for choice in chunk.choices or []:
                self._choice(choice)

    def _choice(self, choice):
        delta = choice.delta
        content = delta and delta.content
        if content is not None:
            before = self.texts.get(choice.index, "")
            known = before is not None and isinstance(content, str)
            # A list of parts is nothing that the SDK knows.
            self.texts[choice.index] = before + content if known else None
        for call in (delta and delta.tool_calls) or []:
            known = self.calls.setdefault((choice.index, call.index), [None, "", ""])
            known[0] = call.id or known[0]
            known[1] += call.function.name or ""
            known[2] += str(call.function.arguments or "")
        if choice.finish_reason:
            self.reasons.setdefault(choice.index, choice.finish_reason)


def answer(*chunks, **options):
    """The whole answer that a stream of these chunks makes."""
    return fold(read_stream([sse(*chunks, **options)]))


def said(*chunks, **options):
    """The parts of the only choice."""
    (choice,) = answer(*chunks, **options).choices
    return choice.parts


def failure(*chunks, **options):
    """The error with which the stream ends."""
    last = read_stream([sse(*chunks, **options)])[-1]
    assert isinstance(last, Failed)
    return last.error


def call(index, call_id=None, name=None, arguments="", **members):
    """The delta of one fragment of a tool call."""
    body = {"index": index, **members}
    if call_id is not None:
        body["id"] = call_id
    body["function"] = {"arguments": arguments, **({"name": name} if name else {})}
    return {"tool_calls": [body]}
