"""What an agent does: send a chat request, run the tools that are asked for, until a text comes.

Requests go out as they are, streamed or not; every answer is held against the ``openai`` SDK's
own types.
"""

import json

from openai.types.chat import ChatCompletion, ChatCompletionChunk

ROUNDS = 6


class NotServed(Exception):
    """The gateway answered no 200; ``reply`` is what it said."""

    def __init__(self, reply):
        super().__init__(reply.status, reply.body[:500])
        self.reply = reply


def answered(reply, *, streams):
    """The assistant's message and the finish reason of a 200."""
    if reply.status != 200:
        raise NotServed(reply)
    if streams:
        assert reply.headers["content-type"].startswith("text/event-stream")
        return _streamed(reply.events)
    answer = ChatCompletion.model_validate(reply.json)
    assert answer.usage.total_tokens > 0
    choice = answer.choices[0]
    return choice.message.model_dump(exclude_none=True), choice.finish_reason


def _streamed(events):
    assert events[-1] == "[DONE]"
    message, calls, reason = {"role": "assistant", "content": ""}, {}, None
    for event in events[:-1]:
        for choice in ChatCompletionChunk.model_validate(event).choices:
            assert reason is None, "nothing may follow a finish reason"
            reason = choice.finish_reason
            message["content"] += choice.delta.content or ""
            for part in choice.delta.tool_calls or ():
                call = calls.setdefault(
                    part.index, {"type": "function", "function": {"name": "", "arguments": ""}}
                )
                call["id"] = call.get("id") or part.id
                call["function"]["name"] += part.function.name or ""
                call["function"]["arguments"] += part.function.arguments or ""
            legacy = choice.delta.function_call
            if legacy is not None:
                whole = message.setdefault("function_call", {"name": "", "arguments": ""})
                whole["name"] += legacy.name or ""
                whole["arguments"] += legacy.arguments or ""
    if calls:
        message["tool_calls"] = list(calls.values())
    return message, reason


def results_of(message):
    """A made-up result for each call of an assistant's message."""
    found = []
    for call in message.get("tool_calls", ()):
        json.loads(call["function"]["arguments"])
        content = json.dumps({"tool": call["function"]["name"], "result": "22"})
        found.append({"role": "tool", "tool_call_id": call["id"], "content": content})
    if legacy := message.get("function_call"):
        json.loads(legacy["arguments"])
        found.append({"role": "function", "name": legacy["name"], "content": '{"result": "22"}'})
    return found


def until_text(ask, body):
    """``ask(body)`` gives a ``Reply``. Returns all replies; the last message is a text.

    Raises ``NotServed``.
    """
    body = {**body, "messages": list(body["messages"])}
    replies = []
    for _ in range(ROUNDS):
        replies.append(ask(body))
        message, reason = answered(replies[-1], streams=bool(body.get("stream")))
        results = results_of(message)
        if not results:
            assert reason in {"stop", "length"}
            assert message["content"]
            return replies
        assert reason in {"tool_calls", "function_call", "stop"}
        body["messages"] += [message, *results]
        # As the clients do: a tool is forced once.
        if body.get("tool_choice") not in (None, "auto", "none"):
            body["tool_choice"] = "auto"
        if isinstance(body.get("function_call"), dict):
            del body["function_call"]
    raise AssertionError(f"no text in {ROUNDS} rounds")
