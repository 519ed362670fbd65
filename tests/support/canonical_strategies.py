"""Hypothesis strategies for canonical answers and streams."""

import json

from hypothesis import strategies as st
from msgspec import Raw

from dragoman.canonical.conversation import (
    NO_EXTRAS,
    CallKind,
    Media,
    MediaKind,
    Native,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from dragoman.canonical.events import (
    ChoiceFinished,
    Delta,
    Failed,
    Finished,
    PartFinished,
    PartKind,
    PartStarted,
    Started,
    StopReason,
)
from dragoman.canonical.response import ChatResponse, Choice
from dragoman.canonical.usage import Usage
from dragoman.errors import UpstreamTimeout, UpstreamUnavailable

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_-]{0,20}", fullmatch=True)
counts = st.integers(0, 100_000)
arguments = st.one_of(
    st.just(""),
    st.dictionaries(names, st.integers() | words | st.booleans(), max_size=3).map(json.dumps),
    words,
)
extras = st.one_of(
    st.just(NO_EXTRAS),
    st.dictionaries(
        st.just("another_dialect"), st.dictionaries(names, words, min_size=1), min_size=1
    ),
)
usages = st.none() | st.builds(
    Usage, input=counts, output=counts, cache_read=counts, cache_write=counts, reasoning=st.just(0)
)
medias = st.builds(
    Media,
    kind=st.just(MediaKind.IMAGE),
    media_type=st.just("image/png"),
    data=st.binary(max_size=8).map(lambda data: data.hex()),
)
natives = st.builds(Native, st.just("another_dialect"), names, st.just(Raw(b'{"a":1}')))
calls = st.builds(
    ToolCall,
    id=names.map(lambda name: f"call_{name}x"),
    name=names,
    arguments=arguments,
    kind=st.sampled_from(CallKind),
    extras=extras,
)
parts = st.one_of(
    st.builds(Text, words, extras),
    st.builds(Reasoning, words, extras),
    st.builds(Refusal, words),
    calls,
    medias,
    natives,
)


def several(parts, most):
    """Parts as one answer may hold them: every call has an id of its own."""

    def identity(part):
        return part.id if isinstance(part, ToolCall) else object()

    return st.lists(parts, max_size=most, unique_by=identity)


choices = st.builds(
    Choice,
    index=st.integers(0, 3),
    parts=several(parts, 5).map(tuple),
    reason=st.sampled_from(StopReason),
    extras=extras,
)
responses = st.builds(
    ChatResponse,
    id=names,
    model=names,
    created=counts,
    choices=st.lists(choices, max_size=3, unique_by=lambda choice: choice.index).map(tuple),
    usage=usages,
    extras=extras,
)


@st.composite
def streams(draw):
    """A legal stream: choices mixed with each other, parts in several deltas, any ending."""
    lines = [
        _choice_events(draw, index)
        for index in draw(st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True))
    ]
    events = [Started(draw(names), draw(names), draw(counts), draw(extras))]
    while any(lines):
        line = draw(st.sampled_from([line for line in lines if line]))
        events.append(line.pop(0))
    events.append(Finished(draw(usages)))
    if draw(st.booleans()):
        return events
    cut = draw(st.integers(0, len(events)))
    error = draw(st.sampled_from([UpstreamTimeout("too late"), UpstreamUnavailable("gone")]))
    return [*events[:cut], Failed(error)] if cut < len(events) else events


def _choice_events(draw, index):
    events = []
    for part in draw(several(parts, 4)):
        events += _part_events(draw, index, part)
    events.append(ChoiceFinished(index, draw(st.sampled_from(StopReason)), draw(extras)))
    return events


def _part_events(draw, index, part):
    match part:
        case Media() | Native():
            return [PartStarted(index, PartKind.TEXT, whole=part), PartFinished(index)]
        case ToolCall():
            start = PartStarted(index, PartKind.TOOL_CALL, part.id, part.name, part.kind)
            text = part.arguments
        case Reasoning(text=text):
            start = PartStarted(index, PartKind.REASONING)
        case Refusal(text=text):
            start = PartStarted(index, PartKind.REFUSAL)
        case Text(text=text):
            start = PartStarted(index, PartKind.TEXT)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return [start, *(Delta(index, piece) for piece in pieces), PartFinished(index)]
