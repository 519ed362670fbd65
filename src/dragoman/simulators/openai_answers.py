"""What the OpenAI simulator says: text, refusal, structured output, tool calls; whole answers.

``say`` decides, ``write_whole`` gives it the shape of ``chat.completion``; streams are written by
``openai_stream``.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from dragoman.simulators import chatter
from dragoman.simulators.delivery import Answer, json_answer
from dragoman.simulators.faults import Plan
from dragoman.simulators.openai_tool_rules import AllowedTools
from dragoman.simulators.schemas import Source, value_for
from dragoman.simulators.selection import Choice, Offer, choose_one, choose_several

REFUSAL_TEXT: Final = "I'm sorry, but I can't help with that."
FINGERPRINT: Final = "fp_simulator"


class Question(msgspec.Struct, kw_only=True, frozen=True):
    """One valid request, and what was found in it."""

    body: dict[str, Any]
    plan: Plan
    text: str
    """The last user text, without directives."""
    identity: chatter.Identity
    is_refused: bool

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation."""
        messages: list[dict[str, Any]] = self.body["messages"]
        return messages

    def frame(self, kind: str) -> dict[str, Any]:
        """The members that all objects of this answer share."""
        return {
            "id": f"chatcmpl-{self.identity.hex('chat', 29)}",
            "object": kind,
            "created": self.identity.created,
            "model": self.body["model"],
            "service_tier": "default",
            "system_fingerprint": FINGERPRINT,
        }


class Said(msgspec.Struct, kw_only=True):
    """One choice before it has a shape."""

    chunks: list[str] = []
    reasoning: str = ""
    refusal: str | None = None
    calls: list[dict[str, Any]] = []
    """As in ``message.tool_calls``."""
    is_legacy: bool = False
    """The request used ``functions``: the single call is a ``function_call``."""
    finish: str = "stop"


def say(question: Question, index: int) -> Said:
    """What choice ``index`` says."""
    if question.is_refused:
        return Said(refusal=REFUSAL_TEXT)
    reasoning = ""
    if "reason" in question.body["model"] and question.body.get("reasoning_effort") != "none":
        reasoning = f"Thinking about: {chatter.shortened(question.text, chatter.ECHO_LIMIT)}"
    if question.plan.say is None:
        choices = _choices(question)
        if choices:
            calls = [_written(question, choice, n, index) for n, choice in enumerate(choices)]
            is_legacy = "functions" in question.body
            finish = "function_call" if is_legacy else "tool_calls"
            return Said(calls=calls, is_legacy=is_legacy, finish=finish, reasoning=reasoning)
    text, is_stopped = _until_stop(_text(question, index), question.body.get("stop"))
    chunks = chatter.pieces(text, None if is_stopped else question.plan.chunks, 1)
    limit = question.body.get("max_completion_tokens", question.body.get("max_tokens"))
    chunks, is_cut = chatter.limited(chunks, limit)
    return Said(chunks=chunks, finish="length" if is_cut else "stop", reasoning=reasoning)


def usage(question: Question, answers: list[Said]) -> dict[str, Any]:
    """Token counts over all choices."""
    prompt = sum(
        len(chatter.tokens(chatter.text_of(message.get("content")))) + 4
        for message in question.messages
    )
    prompt += sum(len(chatter.tokens(str(tool))) for tool in question.body.get("tools", []))
    reasoning = sum(len(chatter.tokens(said.reasoning)) for said in answers)
    visible = sum(
        len(chatter.tokens("".join(said.chunks) + (said.refusal or "")))
        + sum(len(chatter.tokens(str(call))) for call in said.calls)
        for said in answers
    )
    return {
        "prompt_tokens": prompt,
        "completion_tokens": visible + reasoning,
        "total_tokens": prompt + visible + reasoning,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def logprobs(question: Question, chunks: list[str]) -> dict[str, Any] | None:
    """The ``logprobs`` member for these content chunks; None if none were asked for."""
    if not question.body.get("logprobs"):
        return None
    count = question.body.get("top_logprobs", 0)
    content = []
    for token in (token for chunk in chunks for token in chatter.tokens(chunk)):
        entry = {"token": token, "logprob": -0.125, "bytes": list(token.encode())}
        others = [{**entry, "logprob": -0.125 - rank} for rank in range(count)]
        content.append({**entry, "top_logprobs": others})
    return {"content": content, "refusal": None}


def write_whole(question: Question, answers: list[Said]) -> Answer:
    """The answer as one JSON document."""
    value = question.frame("chat.completion")
    value["choices"] = [_choice(question, index, said) for index, said in enumerate(answers)]
    if not question.plan.has("no-usage"):
        value["usage"] = usage(question, answers)
    return json_answer(value)


def _choice(question: Question, index: int, said: Said) -> dict[str, Any]:
    content = "".join(said.chunks) if not said.calls and said.refusal is None else None
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": said.refusal}
    if said.reasoning:
        message["reasoning_content"] = said.reasoning
    if said.is_legacy:
        message["function_call"] = said.calls[0]["function"]
    elif said.calls:
        message["tool_calls"] = said.calls
    else:
        message["annotations"] = []
    return {
        "index": index,
        "message": message,
        "logprobs": logprobs(question, said.chunks),
        "finish_reason": None if question.plan.has("no-finish") else said.finish,
    }


def _choices(question: Question) -> list[Choice]:
    if "functions" in question.body:
        return _legacy_choice(question)
    offers = [_offer(tool) for tool in question.body.get("tools", [])]
    wanted = question.body.get("tool_choice", "auto")
    if isinstance(wanted, dict):
        kind = wanted["type"]
        listed = wanted.get(kind) or {}
        if kind == "allowed_tools":
            allowed = msgspec.convert(listed, AllowedTools)
            names, wanted = [tool.called for tool in allowed.tools], allowed.mode
        else:
            names, wanted = [listed["name"]], "required"
        offers = [offer for offer in offers if offer.name in names]
    if wanted == "none" or not offers:
        return []
    if wanted == "auto" and question.messages[-1]["role"] in ("tool", "function"):
        return []
    must = wanted == "required"
    if question.body.get("parallel_tool_calls", True):
        return choose_several(question.text, offers, must=must)
    one = choose_one(question.text, offers, must=must)
    return [one] if one else []


def _legacy_choice(question: Question) -> list[Choice]:
    wanted = question.body.get("function_call", "auto")
    offers = [_offer({"type": "function", "function": f}) for f in question.body["functions"]]
    must = isinstance(wanted, dict)
    if must:
        offers = [offer for offer in offers if offer.name == wanted.get("name")]
    elif wanted == "none" or question.messages[-1]["role"] == "function":
        return []
    one = choose_one(question.text, offers, must=must)
    return [one] if one else []


def _offer(tool: dict[str, Any]) -> Offer:
    kind = tool["type"]
    definition = tool[kind]
    return Offer(
        definition["name"],
        definition.get("description") or "",
        definition.get("parameters"),
        is_custom=kind == "custom",
    )


def _written(question: Question, choice: Choice, number: int, index: int) -> dict[str, Any]:
    call_id = f"call_{question.identity.hex(f'call {index} {number}')}"
    if choice.offer.is_custom:
        custom = {"name": choice.offer.name, "input": choice.arguments}
        return {"id": call_id, "type": "custom", "custom": custom}
    arguments = msgspec.json.encode(choice.arguments).decode()
    function = {"name": choice.offer.name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def _text(question: Question, index: int) -> str:
    if question.plan.say is not None:
        return question.plan.say
    wanted = question.body.get("response_format", {})
    if wanted.get("type") == "json_schema":
        value = value_for(wanted["json_schema"].get("schema") or {}, Source(question.text, index))
        return msgspec.json.encode(value).decode()
    if wanted.get("type") == "json_object":
        return msgspec.json.encode({"answer": question.text}).decode()
    suffix = f" (choice {index + 1})" if index else ""
    if question.messages[-1]["role"] in ("tool", "function"):
        return _quoted_results(question.messages) + suffix
    return chatter.echo(question.text, question.messages) + suffix


def _quoted_results(messages: list[dict[str, Any]]) -> str:
    names = {
        call["id"]: call[call["type"]]["name"]
        for message in messages
        for call in message.get("tool_calls") or []
    }
    results: list[str] = []
    for message in reversed(messages):
        if message["role"] not in ("tool", "function"):
            break
        name = message.get("name") or names.get(message.get("tool_call_id"), "the tool")
        content = chatter.shortened(chatter.text_of(message.get("content")), chatter.ECHO_LIMIT)
        results.append(f"The result of {name} is: {content}")
    return "; ".join(reversed(results))


def _until_stop(text: str, stop: str | list[str] | None) -> tuple[str, bool]:
    words = [stop] if isinstance(stop, str) else stop or []
    found = [text.find(word) for word in words if word and word in text]
    return (text[: min(found)], True) if found else (text, False)
