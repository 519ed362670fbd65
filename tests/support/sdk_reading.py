"""What a program sees of an answer, whichever SDK read it: the common ground for comparisons.

``Reading`` holds, for each choice, text, reasoning, tool calls (name, arguments as a JSON value)
and finish reason; and the counts. An error is its class and its status.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import openai
from gigachat.models import ChatCompletion, ChatCompletionChunk, ChatCompletionResponse
from gigachat.models.chat_completions import ChatCompletionChunk as PrimaryChatCompletionChunk


@dataclass
class Said:
    text: str = ""
    reasoning: str = ""
    calls: list = field(default_factory=list)
    reason: str | None = None


@dataclass
class Reading:
    choices: dict = field(default_factory=dict)
    usage: dict | None = None
    error: tuple | None = None
    """Class and status (``None`` inside a stream) of the SDK's error."""


def json_value(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def as_text(value):
    """Parts or objects, where a server sends them in place of a text, as their JSON."""
    return value if isinstance(value, str) else json.dumps(value) if value else ""


def counts(usage, cached):
    return {
        "in": usage.prompt_tokens,
        "out": usage.completion_tokens,
        "total": usage.total_tokens,
        "cached": cached or 0,
    }


def _openai_counts(usage):
    if usage is None:
        return None
    details = getattr(usage, "prompt_tokens_details", None)
    return counts(usage, details.cached_tokens if details else 0)


def _reasoning(message):
    """The two names that servers have for it; a text in both is the same text."""
    return getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None) or ""


def read_openai(client, model, **members):
    """A whole answer as the ``openai`` SDK reads it."""
    try:
        answer = client.chat.completions.create(model=model, **members)
    except openai.APIStatusError as error:
        return Reading(error=(type(error).__name__, error.status_code))
    except openai.APIError as error:
        return Reading(error=(type(error).__name__, None))
    found = Reading(usage=_openai_counts(answer.usage))
    for choice in answer.choices or ():
        message = choice.message
        calls = message.tool_calls or []
        if message.function_call:
            calls = [*calls, message]
        found.choices[choice.index] = Said(
            text=as_text(message.content),
            reasoning=as_text(_reasoning(message)),
            calls=[_call_of(call) for call in calls],
            reason=choice.finish_reason,
        )
    return found


def _call_of(call):
    custom = getattr(call, "custom", None)
    if custom is not None:
        return (custom.name, custom.input)
    function = getattr(call, "function", None) or call.function_call
    # A tool without parameters has no arguments at some servers.
    return (function.name, json_value(getattr(function, "arguments", None) or ""))


def stream_openai(client, model, **members):
    """A stream as the ``openai`` SDK reads it; an error in its middle leaves what came before."""
    found = Reading()
    parts = {}
    try:
        for chunk in client.chat.completions.create(model=model, stream=True, **members):
            found.usage = _openai_counts(chunk.usage) or found.usage
            for choice in chunk.choices or ():
                said = found.choices.setdefault(choice.index, Said())
                _add_delta(said, choice, parts.setdefault(choice.index, {}))
    except openai.APIStatusError as error:
        found.error = (type(error).__name__, error.status_code)
    except openai.APIError as error:
        found.error = (type(error).__name__, None)
    for index, calls in parts.items():
        found.choices[index].calls = [(name, json_value(text)) for name, text in calls.values()]
    return found


def _add_delta(said, choice, calls):
    delta = choice.delta
    said.reason = choice.finish_reason or said.reason
    if delta is None:
        return
    said.text += as_text(delta.content)
    said.reasoning += as_text(_reasoning(delta))
    for call in delta.tool_calls or ():
        name, text = calls.get(call.index, (None, ""))
        function = call.function
        calls[call.index] = (name or function.name, text + as_text(function.arguments))


def read_gigachat(status, body):
    """A whole answer as the ``gigachat`` package's own models read it."""
    if status != 200:
        return Reading(error=status)
    answer = ChatCompletion.model_validate_json(body)
    found = Reading(usage=_gigachat_counts(answer.usage))
    for choice in answer.choices:
        message = choice.message
        found.choices[choice.index] = Said(
            text=message.content or "",
            reasoning=message.reasoning_content or "",
            calls=_gigachat_calls(message),
            reason=choice.finish_reason,
        )
    return found


def stream_gigachat(body):
    """A stream as the ``gigachat`` package's own models read it."""
    found = Reading()
    for line in body.decode().replace("\r\n", "\n").split("\n"):
        if not line.startswith("data: {"):
            continue
        chunk = ChatCompletionChunk.model_validate_json(line[6:])
        found.usage = _gigachat_counts(chunk.usage) or found.usage
        for choice in chunk.choices:
            said = found.choices.setdefault(choice.index, Said())
            said.text += choice.delta.content or ""
            said.reasoning += choice.delta.reasoning_content or ""
            said.calls += _gigachat_calls(choice.delta)
            said.reason = choice.finish_reason or said.reason
    return found


def _gigachat_counts(usage):
    return counts(usage, usage.precached_prompt_tokens) if usage else None


def _gigachat_calls(message):
    call = message.function_call
    return [(call.name, call.arguments)] if call else []


def read_gigachat_v2(status, body):
    """A whole answer of chat v2 as the ``gigachat`` package's own models read it."""
    if status != 200:
        return Reading(error=status)
    answer = ChatCompletionResponse.model_validate_json(body)
    said = Said(reason=answer.finish_reason)
    _hear_gigachat_v2(said, answer.messages)
    return Reading(choices={0: said}, usage=_gigachat_v2_counts(answer.usage))


def stream_gigachat_v2(body):
    """A stream of chat v2 as the ``gigachat`` package's own models read it."""
    said = Said()
    found = Reading(choices={0: said})
    for line in body.decode().replace("\r\n", "\n").split("\n"):
        if line.startswith("data: {"):
            chunk = PrimaryChatCompletionChunk.model_validate_json(line[6:])
            found.usage = _gigachat_v2_counts(chunk.usage) or found.usage
            said.reason = chunk.finish_reason or said.reason
            _hear_gigachat_v2(said, chunk.messages or ())
    return found


def _hear_gigachat_v2(said, messages):
    for message in messages:
        for part in message.content or ():
            if message.role == "reasoning":
                said.reasoning += part.text or ""
                continue
            said.text += part.text or ""
            for file in part.files or ():
                said.text += f'<img src="{file.id_}" fuse="true"/>'
            if part.function_call is not None:
                said.calls.append((part.function_call.name, part.function_call.arguments))


def _gigachat_v2_counts(usage):
    if usage is None:
        return None
    return {
        "in": usage.input_tokens,
        "out": usage.output_tokens,
        "total": usage.total_tokens,
        "cached": usage.input_tokens_details.cached_tokens,
    }
