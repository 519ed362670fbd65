"""What the GigaChat simulator says, whole or streamed, in the shapes of chat v2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from dragoman.simulators import chatter
from dragoman.simulators.delivery import Answer, json_answer
from dragoman.simulators.faults import Plan
from dragoman.simulators.gigachat_answers import CENSORED
from dragoman.simulators.gigachat_files import StoredFile
from dragoman.simulators.gigachat_state import state_id
from dragoman.simulators.gigachat_v2_rules import BUILT_IN_TOOLS, sealed_calls
from dragoman.simulators.options import SimulatorOptions
from dragoman.simulators.schemas import Source, value_for
from dragoman.simulators.selection import (
    Choice,
    Offer,
    choose_one,
    choose_several,
    fitting,
)

_TOKENS_IN_A_CHUNK: Final = 4
_FEW_CACHED: Final = 2
_BUILT_IN: Final = {
    "web_search": "search the web for news and pages",
    "code_interpreter": "run code to calculate",
    "image_generate": "draw a picture or image",
    "url_content_extraction": "read a page by its url",
    "model_3d_generate": "make a model in three dimensions",
}
"""Name -> in which words it is asked for."""
_SOURCES: Final = {
    "1": {"url": "https://example.com/one", "title": "The first page"},
    "2": {"url": "https://example.org/two?a=b", "title": "The second page"},
}

Part = dict[str, Any]


class Said(msgspec.Struct, kw_only=True):
    """One answer before it has a shape."""

    parts: list[Part] = []
    """Of the assistant's message, in pieces as a stream has them."""
    finish: str = "stop"
    calls: list[dict[str, Any]] = []
    tool: str = ""
    """The built-in tool that was used."""
    reasoning: str = ""


class WriterV2:
    """Writes the answer to one valid request."""

    def __init__(
        self,
        body: dict[str, Any],
        raw: bytes,
        plan: Plan,
        text: str,
        attached: Sequence[StoredFile] = (),
    ) -> None:
        self._body = body
        self._attached = attached
        self._options: dict[str, Any] = body.get("model_options", {})
        self._config: dict[str, Any] = body.get("tool_config", {"mode": "auto"})
        self._plan = plan
        self._text = text
        """The last user text, without directives."""
        self._messages: list[dict[str, Any]] = body["messages"]
        self._identity = chatter.Identity(raw)
        self._model: str = body["model"]

    def write(self, options: SimulatorOptions) -> Answer:
        """The answer, as events if the request asked for a stream."""
        said = self._say(options.trigger_words)
        return self._stream(said) if self._body.get("stream") else self._whole(said)

    def _say(self, trigger_words: list[str]) -> Said:
        if any(word in self._text for word in trigger_words):
            return Said(parts=[{"text": CENSORED}], finish="blacklist")
        reasoning = ""
        if "reasoning" in self._options:
            reasoning = f"Thinking about: {chatter.shortened(self._text, chatter.ECHO_LIMIT)}"
        if self._plan.say is None and self._config["mode"] != "none":
            if tool := self._built_in():
                parts = self._of_built_in(tool)
                return Said(parts=parts, tool=tool, reasoning=reasoning)
            if calls := self._calls():
                parts = [{"function_call": call} for call in calls]
                return Said(parts=parts, calls=calls, finish="function_call", reasoning=reasoning)
        chunks = chatter.pieces(self._answer_text(), self._plan.chunks, _TOKENS_IN_A_CHUNK)
        chunks, is_cut = chatter.limited(chunks, self._options.get("max_tokens"))
        parts = [{"text": chunk} for chunk in chunks]
        return Said(parts=parts, finish="length" if is_cut else "stop", reasoning=reasoning)

    def _built_in(self) -> str:
        """The built-in tool to use, if any."""
        if "tool_name" in self._config:
            return str(self._config["tool_name"])
        if self._config["mode"] != "auto" or self._messages[-1]["role"] == "tool":
            return ""
        offered = [name for tool in self._body.get("tools", []) for name in tool]
        offers = [Offer(name, _BUILT_IN[name]) for name in BUILT_IN_TOOLS if name in offered]
        found = fitting(self._text, [*offers, *self._offers()])
        return found[0].name if found and found[0].name in _BUILT_IN else ""

    def _offers(self) -> list[Offer]:
        return [
            Offer(item["name"], item.get("description", ""), item["parameters"])
            for tool in self._body.get("tools", [])
            for item in tool.get("functions", {}).get("specifications", [])
        ]

    def _calls(self) -> list[dict[str, Any]]:
        offers, mode = self._offers(), self._config["mode"]
        if mode == "forced":
            offers = [offer for offer in offers if offer.name == self._config["function_name"]]
        elif mode == "any":
            names = self._config.get("functions_names_any")
            offers = [offer for offer in offers if names is None or offer.name in names]
        elif self._messages[-1]["role"] == "tool":
            return []
        must = mode != "auto"
        if self._options.get("parallel_tool_calls"):
            chosen = choose_several(self._text, offers, must=must)
        else:
            one = choose_one(self._text, offers, must=must)
            chosen = [] if one is None else [one]
        return [self._call(choice, number, len(chosen)) for number, choice in enumerate(chosen)]

    def _call(self, choice: Choice, number: int, count: int) -> dict[str, Any]:
        """A single call has no id (recorded traffic); several have one each."""
        call = {"name": choice.offer.name, "arguments": choice.arguments}
        return call if count == 1 else {"id": self._identity.uuid(f"call {number}"), **call}

    def _of_built_in(self, tool: str) -> list[Part]:
        if tool == "web_search":
            text = f"The web says of {self._text} that it is so [sources=[1]]."
            chunks = chatter.pieces(text, self._plan.chunks, _TOKENS_IN_A_CHUNK)
            last = {"text": " Others agree [sources=[1,2]].", "inline_data": {"sources": _SOURCES}}
            return [*({"text": chunk} for chunk in chunks), last]
        if tool in ("image_generate", "model_3d_generate"):
            mime, target = ("image/jpeg", "image")
            if tool == "model_3d_generate":
                mime, target = ("model/gltf-binary", "model_3d")
            file = {"id": self._identity.uuid(tool), "mime": mime, "target": target}
            return [{"files": [file]}, {"text": f"Made for you: {self._text}"}]
        return [{"text": f"{tool} was used for: {self._text}"}]

    def _answer_text(self) -> str:
        if self._plan.say is not None:
            return self._plan.say
        wanted = self._options.get("response_format")
        if wanted and wanted["type"] == "json_schema":
            value = value_for(wanted["schema"], Source(self._text))
            return msgspec.json.format(msgspec.json.encode(value), indent=4).decode()
        last = self._messages[-1]
        if last["role"] == "tool":
            results = [part["function_result"] for part in last["content"]]
            return " ".join(
                f"The result of {each['name']} is: {msgspec.json.encode(each['result']).decode()}"
                for each in results
            )
        seen = "; ".join(file.described() for file in self._attached)
        return chatter.echo(self._text, self._messages) + (f" (attached: {seen})" if seen else "")

    def _usage(self, said: Said) -> dict[str, Any]:
        read = sum(len(chatter.tokens(str(message["content"]))) for message in self._messages)
        read += len(chatter.tokens(str(self._body.get("tools") or "")))
        written = len(chatter.tokens(said.reasoning + str(said.parts)))
        details = {"prompt_tokens": read, "cached_tokens": min(_FEW_CACHED, read)}
        return {
            "input_tokens": read,
            "input_tokens_details": details,
            "output_tokens": written,
            "total_tokens": read + written,
        }

    def _frame(self) -> dict[str, Any]:
        model = f"{self._model.partition(':')[0]}:32.3.18.5"
        return {"model": model, "created_at": self._identity.created}

    def _end(self, said: Said) -> dict[str, Any]:
        end: dict[str, Any] = {}
        if not self._plan.has("no-finish"):
            end["finish_reason"] = said.finish
        if not self._plan.has("no-usage"):
            end["usage"] = self._usage(said)
        return end

    def _message(self, said: Said, parts: list[Part]) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant"}
        if said.calls or said.tool:
            seed = self._identity.hex("state", 12)
            message["tool_state_id"] = state_id(seed, *sealed_calls(said.calls))
        return {**message, "content": parts}

    def _whole(self, said: Said) -> Answer:
        texts = [part for part in said.parts if "text" in part]
        parts = [part for part in said.parts if "text" not in part]
        if texts:
            joined = {"text": "".join(part["text"] for part in texts)}
            parts.append({**texts[-1], **joined})
        messages = [self._message(said, parts)]
        if said.reasoning:
            messages.insert(0, {"role": "reasoning", "content": [{"text": said.reasoning}]})
        return json_answer({**self._frame(), "messages": messages, **self._end(said)})

    def _stream(self, said: Said) -> Answer:
        frame = self._frame()
        events = [
            _event(
                f"response.tool.{status}",
                {**frame, "tool_execution": {"name": said.tool, "status": status}},
            )
            for status in ("in_progress", "completed")
            if said.tool
        ]
        messages = [
            {"role": "reasoning", "content": [{"text": piece}]}
            for piece in chatter.pieces(said.reasoning, None, _TOKENS_IN_A_CHUNK)
        ]
        messages += [self._message(said, [part]) for part in said.parts]
        events += [
            _event("response.message.delta", {**frame, "messages": [message]})
            for message in messages
        ]
        if not self._plan.has("no-done"):
            events.append(_event("response.message.done", {**frame, **self._end(said)}))
        return Answer(
            headers={"content-type": "text/event-stream", "cache-control": "no-cache"},
            events=events,
            broken_event=_event("error", {"status": 500, "message": "Internal Server Error"}),
        )


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))
