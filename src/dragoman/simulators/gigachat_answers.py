"""What the GigaChat simulator says, whole or streamed, in the shapes of chat v1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from dragoman.simulators import chatter
from dragoman.simulators.delivery import DONE, Answer, json_answer
from dragoman.simulators.faults import Plan
from dragoman.simulators.gigachat_files import StoredFile
from dragoman.simulators.gigachat_rules import BUILT_IN_FUNCTIONS
from dragoman.simulators.gigachat_state import state_id
from dragoman.simulators.options import SimulatorOptions
from dragoman.simulators.schemas import Source, value_for
from dragoman.simulators.selection import Choice, Offer, choose_one

CENSORED: Final = "Не люблю менять тему разговора, но вот сейчас тот самый случай. 🙂"  # noqa: RUF001 - Russian
_TOKENS_IN_A_CHUNK: Final = 4
_FEW_CACHED: Final = 2


class Said(msgspec.Struct, kw_only=True):
    """One answer before it has a shape."""

    chunks: list[str] = []
    finish: str = "stop"
    call: Choice | None = None
    reasoning: str = ""


class Writer:
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
        self._plan = plan
        self._text = text
        """The last user text, without directives."""
        self._messages: list[dict[str, Any]] = body["messages"]
        self._identity = chatter.Identity(raw)
        self._model: str = body["model"]
        self._attached = attached

    def write(self, options: SimulatorOptions) -> Answer:
        """The answer, as events if the request asked for a stream."""
        said = self._say(options.trigger_words)
        if options.gigachat_thinks_in_tags and said.reasoning and said.call is None:
            thought = f"<think>\n{said.reasoning}\n</think>\n\n"
            said.chunks = [*chatter.pieces(thought, None, 1), *said.chunks]
            said.reasoning = ""
        if self._body.get("stream"):
            return self._stream(said, in_two=options.gigachat_call_events == "two")
        return self._whole(said)

    def _say(self, trigger_words: list[str]) -> Said:
        if any(word in self._text for word in trigger_words):
            return Said(chunks=[CENSORED], finish="blacklist")
        if self._plan.has("spoiled-call"):
            return Said(finish="error")
        reasoning = ""
        if "reasoning_effort" in self._body:
            reasoning = f"Thinking about: {chatter.shortened(self._text, chatter.ECHO_LIMIT)}"
        call = self._call() if self._plan.say is None else None
        if call is not None:
            return Said(call=call, finish="function_call", reasoning=reasoning)
        chunks = chatter.pieces(self._answer_text(), self._plan.chunks, _TOKENS_IN_A_CHUNK)
        chunks, is_cut = chatter.limited(chunks, self._body.get("max_tokens"))
        return Said(chunks=chunks, finish="length" if is_cut else "stop", reasoning=reasoning)

    def _call(self) -> Choice | None:
        wanted = self._body.get("function_call")
        if wanted == "none":
            return None
        offers = [
            Offer(item["name"], item.get("description", ""), item["parameters"])
            for item in self._body.get("functions") or []
            if item["name"] not in BUILT_IN_FUNCTIONS and "parameters" in item
        ]
        if isinstance(wanted, dict):
            forced = [offer for offer in offers if offer.name == wanted["name"]]
            call = choose_one(self._text, forced, must=True)
            if call is not None and "partial_arguments" in wanted:
                return Choice(call.offer, call.arguments | wanted["partial_arguments"])
            return call
        if self._messages[-1]["role"] == "function":
            return None
        return choose_one(self._text, offers, must=False)

    def _answer_text(self) -> str:
        if self._plan.say is not None:
            return self._plan.say
        wanted = self._body.get("response_format")
        if wanted and wanted["type"] == "json_schema":
            value = value_for(wanted["schema"], Source(self._text))
            return msgspec.json.format(msgspec.json.encode(value), indent=4).decode()
        last = self._messages[-1]
        if last["role"] == "function":
            return f"The result of {last['name']} is: {last['content']}"
        return chatter.echo(self._text, self._messages) + self._seen()

    def _seen(self) -> str:
        """What was attached. A document is opened by a built-in function, which needs ``auto``."""
        may_open = self._body.get("function_call") == "auto"
        seen = [
            file.described() if may_open or file.kind != "text" else "a document left unopened"
            for file in self._attached
        ]
        return f" (attached: {'; '.join(seen)})" if seen else ""

    def _usage(self, said: Said) -> dict[str, int]:
        prompt = sum(
            len(chatter.tokens(message.get("content") or "")) + 4 for message in self._messages
        ) + len(chatter.tokens(str(self._body.get("functions") or "")))
        completion = len(chatter.tokens("".join(said.chunks) + said.reasoning))
        if said.call is not None:
            completion += len(chatter.tokens(said.call.offer.name + str(said.call.arguments)))
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "precached_prompt_tokens": min(_FEW_CACHED, prompt),
        }

    def _frame(self) -> dict[str, Any]:
        version = "32.3.7.3" if self._model.startswith("GigaChat-3") else "2.0.28.2"
        return {
            "created": self._identity.created,
            "model": f"{self._model.partition(':')[0]}:{version}",
            "object": "chat.completion",
        }

    def _message(self, said: Said) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(said.chunks)}
        if said.call is not None:
            name, arguments = said.call.offer.name, said.call.arguments
            message["function_call"] = {"name": name, "arguments": arguments}
            conversation = self._identity.hex("state", 12)
            message["functions_state_id"] = state_id(conversation, name, arguments)
        return message

    def _whole(self, said: Said) -> Answer:
        message = self._message(said)
        if said.reasoning:
            message["reasoning_content"] = said.reasoning
        choice: dict[str, Any] = {"message": message, "index": 0}
        if not self._plan.has("no-finish"):
            choice["finish_reason"] = said.finish
        value = {"choices": [choice], **self._frame()}
        if not self._plan.has("no-usage"):
            value["usage"] = self._usage(said)
        return json_answer(value)

    def _stream(self, said: Said, *, in_two: bool) -> Answer:
        deltas: list[dict[str, Any]] = [
            {"reasoning_content": part}
            for part in chatter.pieces(said.reasoning, None, _TOKENS_IN_A_CHUNK)
        ]
        last: dict[str, Any] = {"content": ""}
        if said.call is None:
            deltas += [{"content": part} for part in said.chunks]
        elif in_two:
            deltas.append(self._message(said))
        else:
            last = self._message(said)
        choices: list[dict[str, Any]] = [{"delta": delta, "index": 0} for delta in [*deltas, last]]
        choices[0]["delta"]["role"] = "assistant"
        if not self._plan.has("no-finish"):
            choices[-1]["finish_reason"] = said.finish
        frame = self._frame()
        chunks = [{"choices": [choice], **frame} for choice in choices]
        if not self._plan.has("no-usage"):
            chunks[-1]["usage"] = self._usage(said)
        events = [b"data: %b\n\n" % msgspec.json.encode(chunk) for chunk in chunks]
        return Answer(
            headers={"content-type": "text/event-stream", "cache-control": "no-cache"},
            events=[*events, DONE],
            broken_event=b'data: {"status":500,"message":"Internal Server Error"}\n\n',
        )
