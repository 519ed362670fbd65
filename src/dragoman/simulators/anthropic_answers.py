"""What the Anthropic simulator says, whole or streamed, in the shapes of the Messages API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from dragoman.simulators import chatter
from dragoman.simulators.anthropic_models import known_model
from dragoman.simulators.anthropic_thoughts import REDACT, thought
from dragoman.simulators.delivery import Answer, json_answer
from dragoman.simulators.faults import Plan
from dragoman.simulators.schemas import Source, value_for
from dragoman.simulators.selection import Offer, choose_one, choose_several

_TOKENS_IN_A_CHUNK: Final = 4
_FRAGMENT: Final = 6
BROKEN: Final = (
    b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error",'
    b'"message":"Overloaded"}}\n\n'
)


class Said(msgspec.Struct, kw_only=True):
    """One answer before it has a shape."""

    blocks: list[dict[str, Any]] = []
    reason: str = "end_turn"
    sequence: str | None = None
    details: dict[str, Any] | None = None


class Writer:
    """Writes the answer to one valid request."""

    def __init__(self, body: dict[str, Any], raw: bytes, plan: Plan, text: str) -> None:
        self._body = body
        self._plan = plan
        self._text = text
        """The last user text, without directives."""
        self._messages: list[dict[str, Any]] = body["messages"]
        self._identity = chatter.Identity(raw)
        self._model = known_model(body["model"])

    def write(self, trigger_words: list[str]) -> Answer:
        """The answer, as events if the request asked for a stream."""
        said = self._say(trigger_words)
        return self._stream(said) if self._body.get("stream") else self._whole(said)

    def _say(self, trigger_words: list[str]) -> Said:
        if any(word in self._text for word in trigger_words):
            details = {"type": "refusal", "category": "bio", "explanation": "This was declined."}
            return Said(reason="refusal", details=details)
        blocks = self._thoughts()
        calls = self._calls() if self._plan.say is None else []
        if calls:
            return Said(blocks=[*blocks, *calls], reason="tool_use")
        text, reason, sequence = self._limited(self._answer_text())
        if text:
            blocks.append({"type": "text", "text": text})
        return Said(blocks=blocks, reason=reason, sequence=sequence)

    def _thoughts(self) -> list[dict[str, Any]]:
        thinking = self._body.get("thinking", {})
        kind = thinking.get("type", "adaptive" if self._model.thinks_always else "disabled")
        if kind == "disabled":
            return []
        known = sum(
            block["type"] in {"thinking", "redacted_thinking"}
            for message in self._messages
            for block in message["content"]
        )
        text = f"Thinking about: {chatter.shortened(self._text, 80)} ({known} thoughts so far)"
        is_shown = thinking.get("display", "summarized") != "omitted"
        return [thought(text, is_shown=is_shown, is_redacted=REDACT in self._text)]

    def _results(self) -> list[dict[str, Any]]:
        return [b for b in self._messages[-1]["content"] if b["type"] == "tool_result"]

    def _calls(self) -> list[dict[str, Any]]:
        choice = self._body.get("tool_choice", {"type": "auto"})
        offers = [
            Offer(tool["name"], tool.get("description", ""), tool["input_schema"])
            for tool in self._body.get("tools", [])
            if choice["type"] != "tool" or tool["name"] == choice["name"]
        ]
        must = choice["type"] in {"any", "tool"}
        if choice["type"] == "none" or (self._results() and not must):
            return []
        if choice.get("disable_parallel_tool_use") or choice["type"] == "tool":
            one = choose_one(self._text, offers, must=must)
            found = [] if one is None else [one]
        else:
            found = choose_several(self._text, offers, must=must)
        return [
            {
                "type": "tool_use",
                "id": f"toolu_{self._identity.hex(f'call {number}')}",
                "name": call.offer.name,
                "input": call.arguments,
            }
            for number, call in enumerate(found)
        ]

    def _answer_text(self) -> str:
        if self._plan.say is not None:
            return self._plan.say
        layout = self._body.get("output_config", {}).get("format")
        if layout is not None:
            value = value_for(layout["schema"], Source(self._text))
            return msgspec.json.encode(value).decode()
        results = self._results()
        if results:
            told = [
                ("failed: " if block.get("is_error") else "")
                + chatter.text_of(block.get("content"))
                for block in results
            ]
            return f"The tools say: {'; '.join(told)}"
        system = self._body.get("system", "")
        return chatter.echo(self._text, [{"role": "system", "content": system}, *self._messages])

    def _limited(self, text: str) -> tuple[str, str, str | None]:
        reason, sequence = "end_turn", None
        ends = [(text.find(stop), stop) for stop in self._body.get("stop_sequences", ())]
        found = min((end for end in ends if end[0] >= 0), default=None)
        if found is not None:
            text, sequence = text[: found[0]], found[1]
            reason = "stop_sequence"
        chunks, is_cut = chatter.limited([text], self._body["max_tokens"])
        if is_cut:
            # Thoughts count too, but the simulator's are short.
            kept = chatter.tokens(text)[: self._body["max_tokens"]]
            return "".join(kept), "max_tokens", None
        return "".join(chunks), reason, sequence

    def _usage(self, said: Said) -> dict[str, Any]:
        prompt = sum(
            len(chatter.tokens(chatter.text_of(message["content"]))) + 4
            for message in self._messages
        ) + len(chatter.tokens(str(self._body.get("tools") or "")))
        marked = b"cache_control" in msgspec.json.encode(self._body)
        cached = prompt // 2 if marked else 0
        thought_about = "".join(block.get("thinking", "") for block in said.blocks)
        spoken = "".join(
            block.get("text", "") + str(block.get("input", "")) for block in said.blocks
        )
        thinking = len(chatter.tokens(thought_about))
        return {
            "input_tokens": prompt - cached,
            "cache_creation_input_tokens": cached,
            "cache_read_input_tokens": 0,
            "output_tokens": len(chatter.tokens(spoken)) + thinking,
            "output_tokens_details": {"thinking_tokens": thinking},
            "service_tier": "standard",
        }

    def _frame(self) -> dict[str, Any]:
        return {
            "id": f"msg_{self._identity.hex('message')}",
            "type": "message",
            "role": "assistant",
            "model": self._body["model"],
        }

    def _whole(self, said: Said) -> Answer:
        value: dict[str, Any] = {
            **self._frame(),
            "content": said.blocks,
            "stop_reason": None if self._plan.has("no-finish") else said.reason,
            "stop_sequence": said.sequence,
            "stop_details": said.details,
        }
        if not self._plan.has("no-usage"):
            value["usage"] = self._usage(said)
        return json_answer(value)

    def _stream(self, said: Said) -> Answer:
        events = [_event(data) for data in self._events(said)]
        if self._plan.has("no-done"):
            events.pop()
        return Answer(
            headers={"content-type": "text/event-stream; charset=utf-8"},
            events=events,
            broken_event=BROKEN,
        )

    def _events(self, said: Said) -> Iterator[dict[str, Any]]:
        usage = self._usage(said)
        begun = {**usage, "output_tokens": 1, "output_tokens_details": None}
        frame = {**self._frame(), "content": [], "stop_reason": None, "stop_sequence": None}
        yield {"type": "message_start", "message": {**frame, "usage": begun}}
        yield {"type": "ping"}
        for index, block in enumerate(said.blocks):
            opened, deltas = self._pieces(block)
            yield {"type": "content_block_start", "index": index, "content_block": opened}
            for delta in deltas:
                yield {"type": "content_block_delta", "index": index, "delta": delta}
            yield {"type": "content_block_stop", "index": index}
        end = {"stop_sequence": said.sequence, "stop_details": said.details}
        reason = None if self._plan.has("no-finish") else said.reason
        last: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": reason, **end}}
        if not self._plan.has("no-usage"):
            last["usage"] = usage
        yield last
        yield {"type": "message_stop"}

    def _pieces(self, block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The block as it begins, and what follows."""
        match block["type"]:
            case "text":
                texts = chatter.pieces(block["text"], self._plan.chunks, _TOKENS_IN_A_CHUNK)
                deltas = [{"type": "text_delta", "text": text} for text in texts]
                return {"type": "text", "text": ""}, deltas
            case "thinking":
                texts = chatter.pieces(block["thinking"], None, _TOKENS_IN_A_CHUNK)
                deltas = [{"type": "thinking_delta", "thinking": text} for text in texts]
                deltas.append({"type": "signature_delta", "signature": block["signature"]})
                return {"type": "thinking", "thinking": "", "signature": ""}, deltas
            case "tool_use":
                text = msgspec.json.encode(block["input"]).decode()
                parts = [text[at : at + _FRAGMENT] for at in range(0, len(text), _FRAGMENT)]
                texts = ["", *(parts if block["input"] else [])]
                deltas = [{"type": "input_json_delta", "partial_json": part} for part in texts]
                return {**block, "input": {}}, deltas
        return block, []


def _event(data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (data["type"].encode(), msgspec.json.encode(data))
