"""The OpenAI simulator: chat completions, models, embeddings, files.

Mounted under ``/openai/v1``; also what a compatible server (Ollama, vLLM, ...) looks like, as
unknown members are accepted unless ``strict_unknown`` is set. Errors have OpenAI's shape.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette.routing import BaseRoute, Route

from dragoman.simulators import chatter
from dragoman.simulators.delivery import Answer, Endpoint, Handler, House, json_answer, refused
from dragoman.simulators.faults import Plan
from dragoman.simulators.journal import Call
from dragoman.simulators.openai_answers import Question, say, write_whole
from dragoman.simulators.openai_files import Files
from dragoman.simulators.openai_rules import Rule, check_chat, check_member
from dragoman.simulators.openai_stream import write_stream
from dragoman.simulators.refusals import Refusal

CHAT_MODELS: Final = ("gpt-4o", "gpt-4o-mini", "gpt-5-mini", "o3-mini", "simulated-reasoner")
DIMENSIONS: Final = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072}
MOST_INPUTS: Final = 2048
_PUBLISHED: Final = 1_767_225_600
_FAMILIES = re.compile(r"(gpt-|o\d)")
_TYPES: Final = {
    401: "invalid_request_error",
    403: "permission_error",
    429: "rate_limit_exceeded",
    503: "service_unavailable_error",
}
_CODES: Final = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
_Serve = Callable[[Call, Plan], Answer]


def failure(status: int, message: str) -> Answer:
    """An error in OpenAI's shape, with the type and code usual for its status."""
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return _error(status, kind, message, None, _CODES.get(status))


class OpenAI:
    """One simulated OpenAI."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._files = Files()

    def routes(self) -> list[BaseRoute]:
        """Everything under ``/openai/v1``."""
        return [
            self._route("/chat/completions", self._chat, "POST"),
            self._route("/embeddings", self._embed, "POST"),
            self._route("/files", self._files.upload, "POST"),
            self._route("/files", self._files.listing, "GET"),
            self._route("/files/{file}", self._files.get, "GET"),
            self._route("/files/{file}", self._files.delete, "DELETE"),
            self._route("/files/{file}/content", self._files.content, "GET"),
            self._route("/models", self._models, "GET"),
            self._route("/models/{model:path}", self._model, "GET"),
        ]

    def _route(self, path: str, serve: _Serve, method: str) -> Route:
        endpoint = Endpoint(self._house, "openai", self._authorised(serve), failure)
        return Route(path, endpoint, methods=[method])

    def _authorised(self, serve: _Serve) -> Handler:
        def handle(call: Call, plan: Plan) -> Answer:
            try:
                self._check_key(call.header("authorization"))
                answer = serve(call, plan)
            except RecursionError:
                answer = failure(400, "The body is nested too deeply.")
            except Refusal as refusal:
                answer = _error(
                    refusal.status,
                    _TYPES.get(refusal.status, "invalid_request_error"),
                    refusal.message,
                    refusal.param,
                    refusal.code,
                )
            identity = chatter.Identity(call.path.encode() + call.body)
            answer.headers["x-request-id"] = f"req_{identity.hex('request', 32)}"
            answer.headers["openai-version"] = "2020-10-01"
            answer.headers["openai-processing-ms"] = "1"
            return answer

        return handle

    def _check_key(self, authorization: str | None) -> None:
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.casefold() != "bearer" or not key:
            raise Refusal(401, "You didn't provide an API key.", code="invalid_api_key")
        if key not in self._house.options.openai_keys:
            masked = f"{key[:3]}***{key[-2:]}" if len(key) > 8 else "***"
            message = f"Incorrect API key provided: {masked}."
            raise Refusal(401, message, code="invalid_api_key")

    def _check_model(self, name: str) -> None:
        options = self._house.options
        listed = name in CHAT_MODELS or name in DIMENSIONS or name in options.openai_models
        is_known = listed or options.openai_accepts_all_models or _FAMILIES.match(name)
        if name.startswith("missing") or not is_known:
            raise Refusal(
                404,
                f"The model `{name}` does not exist or you do not have access to it.",
                code="model_not_found",
            )

    def _chat(self, call: Call, plan: Plan) -> Answer:
        options = self._house.options
        body = check_chat(_decoded(call.body), strict_unknown=options.strict_unknown)
        self._check_model(body["model"])
        if body["model"] in DIMENSIONS:
            message = (
                "This is not a chat model and thus not supported in the "
                "v1/chat/completions endpoint."
            )
            raise Refusal(404, message, param="model")
        text = chatter.last_user_text(body["messages"])
        text = self._house.faults.read_directives(plan, text)
        if plan.refusal is not None:
            return refused(plan.refusal, failure)
        question = Question(
            body=body,
            plan=plan,
            text=text,
            identity=chatter.Identity(call.body),
            is_refused=any(word in text for word in options.trigger_words),
        )
        answers = [say(question, index) for index in range(body.get("n", 1))]
        if body.get("stream"):
            return write_stream(question, answers)
        return write_whole(question, answers)

    def _embed(self, call: Call, plan: Plan) -> Answer:
        del plan
        body = _decoded(call.body)
        if not isinstance(body, dict) or "input" not in body or "model" not in body:
            raise Refusal(
                400,
                "Missing required parameter: 'input'.",
                param="input",
                code="missing_required_parameter",
            )
        check_member("model", body["model"], Rule(str))
        self._check_model(body["model"])
        if body["model"] in CHAT_MODELS:
            raise Refusal(403, "You are not allowed to generate embeddings from this model")
        texts = _inputs(body["input"])
        wanted = body.get("dimensions")
        if wanted is not None:
            check_member("dimensions", wanted, Rule(int, low=1, high=8192))
        dimensions = wanted or DIMENSIONS.get(body["model"], 1536)
        form = body.get("encoding_format") or "float"
        check_member("encoding_format", form, Rule(str, values=("float", "base64")))
        data = [
            {"object": "embedding", "index": index, "embedding": _vector(text, dimensions, form)}
            for index, text in enumerate(texts)
        ]
        count = sum(len(chatter.tokens(text)) for text in texts)
        usage = {"prompt_tokens": count, "total_tokens": count}
        return json_answer({"object": "list", "data": data, "model": body["model"], "usage": usage})

    def _models(self, call: Call, plan: Plan) -> Answer:
        del call, plan
        names = [*CHAT_MODELS, *DIMENSIONS, *self._house.options.openai_models]
        return json_answer({"object": "list", "data": [_model_item(name) for name in names]})

    def _model(self, call: Call, plan: Plan) -> Answer:
        del plan
        name = call.path_parameters["model"]
        self._check_model(name)
        return json_answer(_model_item(name))


def _error(status: int, kind: str, message: str, param: str | None, code: str | None) -> Answer:
    error = {"message": message, "type": kind, "param": param, "code": code}
    return json_answer({"error": error}, status)


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"We could not parse the JSON body of your request. ({error})"
        raise Refusal(400, message, code="invalid_json") from None


def _inputs(value: Any) -> list[str]:
    """The inputs as texts; token ids become their decimal digits."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list):
        raise Refusal(400, "Invalid type for 'input'.", param="input", code="invalid_type")
    if texts and all(isinstance(item, int) for item in texts):
        texts = [texts]
    texts = [" ".join(map(str, item)) if isinstance(item, list) else item for item in texts]
    if not texts or len(texts) > MOST_INPUTS:
        message = f"Invalid 'input': from 1 to {MOST_INPUTS} entries are allowed."
        raise Refusal(400, message, param="input", code="invalid_value")
    if not all(isinstance(text, str) and text for text in texts):
        message = "Invalid 'input': input cannot be an empty string."
        raise Refusal(400, message, param="input", code="invalid_value")
    return texts


def _vector(text: str, dimensions: int, form: str) -> list[float] | str:
    numbers = chatter.vector(text, dimensions)
    if form == "float":
        return numbers
    return base64.b64encode(struct.pack(f"<{dimensions}f", *numbers)).decode()


def _model_item(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _PUBLISHED, "owned_by": "simulator"}
