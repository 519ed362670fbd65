"""Signed thoughts, kept between the turns of a conversation with tools."""

from dragoman.canonical.conversation import Message, Reasoning, Role, Text, ToolCall
from dragoman.canonical.events import (
    ChoiceFinished,
    Delta,
    PartFinished,
    PartKind,
    PartStarted,
    StopReason,
)
from dragoman.canonical.fold import unfold
from dragoman.canonical.request import ChatRequest
from dragoman.canonical.response import ChatResponse, Choice
from dragoman.recollection import Recollection

SIGNED = Reasoning("I think", {"anthropic_messages": {"signature": "s"}})
OTHER = Reasoning("", {"anthropic_messages": {"redacted_thinking": "x"}})


class Clock:
    def __init__(self):
        self.time = 0.0

    def now(self):
        return self.time


def told(*parts):
    return unfold(ChatResponse("i", "m", 0, (Choice(0, parts, StopReason.TOOL_CALL),), None))


def call(call_id):
    return ToolCall(call_id, "f", "{}")


def history(*parts):
    messages = (Message(Role.USER, (Text("Hi"),)), Message(Role.ASSISTANT, parts))
    return ChatRequest(model="m", messages=messages, stream=False)


def last(request):
    return request.messages[-1].parts


def recalling(**limits):
    clock = Clock()
    return Recollection(clock.now, **limits), clock


def test_what_was_thought_before_a_call_comes_back_before_it():
    recollection, _ = recalling()
    recollection.witness("me").see(told(SIGNED, OTHER, Text("So"), call("a"), call("b")))
    request = history(Reasoning("I think"), Text("So"), call("a"), call("b"))
    assert last(recollection.restored("me", request)) == (
        SIGNED,
        OTHER,
        Text("So"),
        call("a"),
        call("b"),
    )


def test_pieces_of_a_stream_may_come_one_by_one():
    recollection, _ = recalling()
    witness = recollection.witness("me")
    for event in (
        PartStarted(0, PartKind.REASONING),
        Delta(0, "I "),
        Delta(0, "think"),
        PartFinished(0, SIGNED.extras),
        PartStarted(0, PartKind.TOOL_CALL, "a", "f"),
        Delta(0, "{}"),
        PartFinished(0),
    ):
        witness.see([event])
    assert len(recollection) == 0, "an answer that is cut short is no turn"
    witness.see([ChoiceFinished(0, StopReason.TOOL_CALL)])
    assert recollection.thoughts("me", "a") == (SIGNED,)


def test_others_see_nothing_of_it():
    recollection, _ = recalling()
    recollection.witness("me").see(told(SIGNED, call("a")))
    request = history(call("a"))
    assert recollection.restored("you", request) is request


def test_what_the_caller_gives_back_counts():
    recollection, _ = recalling()
    recollection.witness("me").see(told(SIGNED, call("a")))
    own = Reasoning("Mine", {"anthropic_messages": {"signature": "t"}})
    request = history(own, call("a"))
    assert recollection.restored("me", request) is request


def test_nothing_is_kept_without_a_call_or_a_signature():
    recollection, _ = recalling()
    recollection.witness("me").see(told(SIGNED, Text("Done")))
    recollection.witness("me").see(told(Reasoning("unsigned"), call("a")))
    details = Reasoning("x", {"openai_chat": {"reasoning_details": []}})
    recollection.witness("me").see(told(details, call("a")))
    assert len(recollection) == 0


def test_it_forgets_in_time():
    recollection, clock = recalling(kept_for=10)
    recollection.keep("me", ["a"], (SIGNED,))
    clock.time = 9
    recollection.keep("me", ["b"], (SIGNED,))
    assert recollection.thoughts("me", "a") == (SIGNED,)
    clock.time = 10
    assert recollection.thoughts("me", "a") == ()
    recollection.keep("me", ["c"], (SIGNED,))
    assert len(recollection) == 2


def test_its_size_has_a_bound_and_the_oldest_go_first():
    recollection, _ = recalling(characters=10_000)
    long = Reasoning("x" * 3000, SIGNED.extras)
    for call_id in "abcd":
        recollection.keep("me", [call_id], (long,))
    kept = [call_id for call_id in "abcd" if recollection.thoughts("me", call_id)]
    assert kept == ["c", "d"]
    recollection.keep("me", ["d"] * 50, (long,))
    assert recollection.thoughts("me", "d") == (long,)
    recollection.keep("me", ["e"], (Reasoning("x" * 20_000, SIGNED.extras),))
    assert len(recollection) == 0
