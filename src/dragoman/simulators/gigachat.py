"""The GigaChat simulator: OAuth, chat v1 and v2, files, models, embeddings, tokens/count, balance.

Mounted under ``/gigachat``: ``/oauth``, ``/api/v1/...`` and ``/api/v2/chat/completions``. Every
answer carries ``x-request-id`` and ``x-session-id``; errors are ``{"status", "message"}``.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette.routing import BaseRoute, Mount, Route

from dragoman.clock import Clock
from dragoman.simulators import chatter
from dragoman.simulators.delivery import Answer, Endpoint, Handler, House, json_answer, refused
from dragoman.simulators.faults import Plan
from dragoman.simulators.gigachat_answers import Writer
from dragoman.simulators.gigachat_files import Files
from dragoman.simulators.gigachat_oauth import Tokens, oauth_failure
from dragoman.simulators.gigachat_rules import check_chat, wrong_type
from dragoman.simulators.gigachat_v2_answers import WriterV2
from dragoman.simulators.gigachat_v2_rules import check_chat_v2
from dragoman.simulators.journal import Call
from dragoman.simulators.options import SimulatorOptions
from dragoman.simulators.refusals import Refusal

CHAT_MODELS: Final = (
    "GigaChat",
    "GigaChat-2",
    "GigaChat-2-Max",
    "GigaChat-2-Pro",
    "GigaChat-2-Reasoning",
    "GigaChat-3-Pro",
    "GigaChat-3-Ultra",
    "GigaChat-Max",
    "GigaChat-Plus",
    "GigaChat-Pro",
)
DIMENSIONS: Final = {
    "Embeddings": 1024,
    "Embeddings-2": 1024,
    "EmbeddingsGigaR": 2560,
    "GigaEmbeddings-3B-2025-09": 2048,
}
LARGEST_EMBEDDING: Final = 512 * 1024
"""Bytes of a request for embeddings; the real limit is not published, only that there is one."""
_TYPES: Final = (
    dict.fromkeys(CHAT_MODELS, "chat")
    | dict.fromkeys([f"{model}-preview" for model in CHAT_MODELS], "chat")
    | dict.fromkeys(DIMENSIONS, "embedder")
    | {"GigaCheckDetection": "aicheck", "GigaFilter": "filter"}
)
_ESCAPED_CYRILLIC = re.compile(rb"\\u04[0-9a-fA-F]{2}")
_Check = Callable[[Any, SimulatorOptions, Counter[str]], None]
_CHATS: Final[dict[str, tuple[_Check, type[Writer | WriterV2]]]] = {
    "v1": (check_chat, Writer),
    "v2": (check_chat_v2, WriterV2),
}
#: (check_chat, Writer), "v2": (check_chat_v2, WriterV2)}
"""Version of the chat API -> its rules and what writes its answers."""
_Serve = Callable[[Call, Plan, str], Answer]


def failure(status: int, message: str) -> Answer:
    """An error in GigaChat's shape."""
    return json_answer({"status": status, "message": message}, status)


class GigaChat:
    """One simulated GigaChat; its tokens and its count of requests in flight."""

    def __init__(self, house: House, clock: Clock) -> None:
        self.tokens = Tokens(house, clock)
        self.files = Files(house, clock)
        self._house = house
        self._in_flight: Counter[str] = Counter()

    def routes(self) -> list[BaseRoute]:
        """Everything under ``/gigachat``."""
        return [
            self._route("/oauth", self.tokens.oauth, oauth_failure),
            Mount(
                "/api/v1",
                routes=[
                    self._route("/token", self.tokens.password),
                    self._chat_route("v1"),
                    self._route("/tokens/count", self._authorised(self._count_tokens)),
                    self._route("/embeddings", self._authorised(self._embed)),
                    self._route("/balance", self._authorised(self._balance), method="GET"),
                    self._route("/models", self._authorised(self._models), method="GET"),
                    self._route("/models/{model}", self._authorised(self._model), method="GET"),
                    *self._file_routes(),
                ],
            ),
            Mount("/api/v2", routes=[self._chat_route("v2")]),
        ]

    def _chat_route(self, version: str) -> Route:
        serve = functools.partial(self._chat, version)
        return self._route("/chat/completions", self._authorised(serve))

    def _route(
        self,
        path: str,
        handler: Handler,
        write_error: Callable[[int, str], Answer] = failure,
        method: str = "POST",
    ) -> Route:
        answered = functools.partial(_with_ids, handler)
        endpoint = Endpoint(self._house, "gigachat", answered, write_error)
        return Route(path, endpoint, methods=[method])

    def _file_routes(self) -> list[Route]:
        files = self.files
        served: list[tuple[str, _Serve, str]] = [
            ("/files", files.upload, "POST"),
            ("/files", files.listing, "GET"),
            ("/files/{file}", files.get, "GET"),
            ("/files/{file}/content", files.content, "GET"),
            ("/files/{file}/delete", files.delete, "POST"),
        ]
        return [self._route(path, self._authorised(serve), method=m) for path, serve, m in served]

    def _authorised(self, serve: _Serve) -> Handler:
        def handle(call: Call, plan: Plan) -> Answer:
            key = self.tokens.key_of(call)
            if key is None:
                return failure(401, "Token has expired")
            self._house.journal.note_asker(key, _asked_for(call))
            try:
                return serve(call, plan, key)
            except RecursionError:
                return failure(400, "Invalid params: the body is nested too deeply")
            except Refusal as refusal:
                answer = failure(refusal.status, refusal.message)
                if refusal.reason:
                    answer.headers["x-simulator-reason"] = refusal.reason
                return answer

        return handle

    def _chat(self, version: str, call: Call, plan: Plan, key: str) -> Answer:
        options, warnings = self._house.options, self._house.journal.warnings
        limit = options.gigachat_in_flight
        if limit is not None and self._in_flight[key] >= limit:
            answer = failure(429, "Too Many Requests")
            if options.gigachat_retry_after is not None:
                answer.headers["retry-after"] = str(options.gigachat_retry_after)
            return answer
        self._in_flight[key] += 1
        call.releases.append(functools.partial(self._release, key))
        if _ESCAPED_CYRILLIC.search(call.body):
            warnings["escaped_cyrillic"] += 1
        body = _decoded(call.body)
        check, writer = _CHATS[version]
        check(body, options, warnings)
        if _TYPES.get(body["model"].partition(":")[0]) != "chat":
            raise Refusal(404, "No such model")
        groups = [_file_ids(message) for message in body["messages"]]
        attached = self.files.attached(groups, call, key, body["model"])
        text = chatter.last_user_text(body["messages"])
        text = self._house.faults.read_directives(plan, text)
        fault = plan.refusal
        if fault is not None:
            if fault.name == "expired-token":
                self.tokens.forget(call.header("authorization"))
            return refused(fault, failure)
        return writer(body, call.body, plan, text, attached).write(options)

    def _release(self, key: str) -> None:
        self._in_flight[key] -= 1

    def _count_tokens(self, call: Call, plan: Plan, key: str) -> Answer:
        del plan, key
        body = _decoded_with_input(call.body)
        return json_answer(
            [
                {"object": "tokens", "tokens": len(chatter.tokens(text)), "characters": len(text)}
                for text in body["input"]
            ]
        )

    def _embed(self, call: Call, plan: Plan, key: str) -> Answer:
        del plan, key
        if len(call.body) > LARGEST_EMBEDDING:
            raise Refusal(413, "Payload too large")
        body = _decoded_with_input(call.body)
        unknown = sorted(body.keys() - {"model", "input"})
        if unknown:
            raise Refusal(422, f"Invalid params: unknown field '{unknown[0]}'")
        dimensions = DIMENSIONS.get(body["model"])
        if dimensions is None:
            raise Refusal(404, "No such model")
        dimensions = self._house.options.gigachat_vector_size or dimensions
        data = [
            {
                "object": "embedding",
                "embedding": chatter.vector(text, dimensions),
                "index": index,
                "usage": {"prompt_tokens": len(chatter.tokens(text))},
            }
            for index, text in enumerate(body["input"])
        ]
        if self._house.options.gigachat_shuffles_embeddings:
            data.reverse()
        return json_answer({"object": "list", "data": data, "model": body["model"]})

    def _balance(self, call: Call, plan: Plan, key: str) -> Answer:
        del call, plan, key
        return json_answer({"balance": [{"usage": "GigaChat", "value": 49_900}]})

    def _models(self, call: Call, plan: Plan, key: str) -> Answer:
        del call, plan, key
        return json_answer({"object": "list", "data": [_model_item(name) for name in _TYPES]})

    def _model(self, call: Call, plan: Plan, key: str) -> Answer:
        del plan, key
        name = call.path_parameters["model"]
        if name not in _TYPES:
            raise Refusal(404, "No such model")
        return json_answer(_model_item(name))


def _with_ids(handler: Handler, call: Call, plan: Plan) -> Answer:
    answer = handler(call, plan)
    identity = chatter.Identity(call.path.encode() + call.body)
    for name in ("x-request-id", "x-session-id"):
        answer.headers[name] = call.header(name) or identity.uuid(name)
    return answer


def _file_ids(message: dict[str, Any]) -> list[str]:
    """The files that a message of either version names."""
    parts = message.get("content")
    in_parts = [
        file["id"]
        for part in (parts if isinstance(parts, list) else [])
        for file in part.get("files", [])
    ]
    return [*message.get("attachments", []), *in_parts]


def _asked_for(call: Call) -> str:
    """The model that a call names, else its path."""
    try:
        return str(msgspec.json.decode(call.body, type=_Named).model)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return call.path.rpartition("/")[2]


class _Named(msgspec.Struct):
    model: str


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise wrong_type(str(error)) from None


def _decoded_with_input(raw: bytes) -> dict[str, Any]:
    body = _decoded(raw)
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise wrong_type("model must be a string")
    texts = body.get("input")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise wrong_type("input must be an array of strings")
    if not texts:
        raise Refusal(422, "Invalid params: field 'input' must not be empty")
    return body


def _model_item(name: str) -> dict[str, str]:
    return {"id": name, "object": "model", "owned_by": "salutedevices", "type": _TYPES[name]}
