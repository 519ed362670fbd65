"""The Anthropic simulator: messages, their tokens counted, models.

Mounted under ``/anthropic/v1``. Errors have Anthropic's shape, and every answer a ``request-id``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from starlette.routing import BaseRoute, Route

from dragoman.simulators import chatter
from dragoman.simulators.anthropic_answers import Writer
from dragoman.simulators.anthropic_models import MODELS, known_model
from dragoman.simulators.anthropic_rules import BETAS, VERSIONS, check_request, check_version
from dragoman.simulators.delivery import Answer, Endpoint, Handler, House, json_answer, refused
from dragoman.simulators.faults import Plan
from dragoman.simulators.journal import Call
from dragoman.simulators.options import ANTHROPIC_ACCESS_TOKEN
from dragoman.simulators.refusals import Refusal

_TYPES: Final = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_MOST_ITEMS: Final = 1000
_USUAL_ITEMS: Final = 20
_Serve = Callable[[Call, Plan], Answer]


def failure(status: int, message: str) -> Answer:
    """An error in Anthropic's shape, with the type that goes with its status."""
    kind = _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return json_answer({"type": "error", "error": {"type": kind, "message": message}}, status)


class Anthropic:
    """One simulated Anthropic."""

    def __init__(self, house: House) -> None:
        self._house = house

    def routes(self) -> list[BaseRoute]:
        """Everything under ``/anthropic/v1``."""
        return [
            self._route("/messages", self._messages, "POST"),
            self._route("/messages/count_tokens", self._count, "POST"),
            self._route("/models", self._models, "GET"),
            self._route("/models/{model}", self._model, "GET"),
        ]

    def _route(self, path: str, serve: _Serve, method: str) -> Route:
        endpoint = Endpoint(self._house, "anthropic", self._authorised(serve), failure)
        return Route(path, endpoint, methods=[method])

    def _authorised(self, serve: _Serve) -> Handler:
        def handle(call: Call, plan: Plan) -> Answer:
            try:
                self._check_head(call)
                answer = serve(call, plan)
            except RecursionError:
                answer = failure(400, "The body is nested too deeply.")
            except Refusal as refusal:
                answer = failure(refusal.status, refusal.message)
            identity = chatter.Identity(call.path.encode() + call.body)
            answer.headers["request-id"] = f"req_{identity.hex('request', 24)}"
            return answer

        return handle

    def _check_head(self, call: Call) -> None:
        key, authorization = call.header("x-api-key"), call.header("authorization")
        if key is not None:
            if key not in self._house.options.anthropic_keys:
                raise Refusal(401, "invalid x-api-key")
        elif authorization is None:
            raise Refusal(401, "x-api-key header is required")
        elif authorization not in self._bearers():
            raise Refusal(401, "Invalid bearer token")
        version = call.header("anthropic-version")
        if version is None:
            raise Refusal(400, "anthropic-version: header is required")
        if version not in VERSIONS:
            raise Refusal(400, f'anthropic-version: "{version}" is not a valid version')
        unknown = sorted(_betas(call) - BETAS)
        if unknown:
            message = f"Unexpected value(s) `{unknown[0]}` for the `anthropic-beta` header."
            raise Refusal(400, message)

    def _bearers(self) -> set[str]:
        """Keys are taken as tokens too: so the vendor's SDK sends them since its version 2."""
        known = [ANTHROPIC_ACCESS_TOKEN, *self._house.options.anthropic_keys]
        return {f"Bearer {one}" for one in known}

    def _messages(self, call: Call, plan: Plan) -> Answer:
        body = _decoded(call.body)
        checked = check_request(body, _betas(call))
        check_version(body, call.header("anthropic-version"))
        text = chatter.last_user_text(_spoken(checked["messages"]))
        text = self._house.faults.read_directives(plan, text)
        if plan.refusal is not None:
            return refused(plan.refusal, failure)
        return Writer(checked, call.body, plan, text).write(self._house.options.trigger_words)

    def _count(self, call: Call, plan: Plan) -> Answer:
        del plan
        checked = check_request(_decoded(call.body), _betas(call), counts=True)
        words = [chatter.text_of(message["content"]) for message in checked["messages"]]
        words += [chatter.text_of(checked.get("system")), str(checked.get("tools") or "")]
        return json_answer({"input_tokens": sum(len(chatter.tokens(text)) for text in words)})

    def _models(self, call: Call, plan: Plan) -> Answer:
        del plan
        query = {name: values[-1] for name, values in parse_qs(call.query).items()}
        try:
            limit = int(query.get("limit", _USUAL_ITEMS))
        except ValueError:
            limit = 0
        if not 1 <= limit <= _MOST_ITEMS:
            raise Refusal(400, f"limit: Input should be from 1 to {_MOST_ITEMS}")
        names = list(MODELS)
        after = query.get("after_id")
        if after is not None:
            if after not in MODELS:
                raise Refusal(400, f"after_id: '{after}' is unknown")
            names = names[names.index(after) + 1 :]
        data = [MODELS[name].item() for name in names[:limit]]
        return json_answer(
            {
                "data": data,
                "has_more": len(names) > limit,
                "first_id": data[0]["id"] if data else None,
                "last_id": data[-1]["id"] if data else None,
            }
        )

    def _model(self, call: Call, plan: Plan) -> Answer:
        del plan
        name = call.path_parameters["model"]
        return json_answer(known_model(name).item())


def _betas(call: Call) -> frozenset[str]:
    values = [value for name, value in call.headers if name == "anthropic-beta"]
    return frozenset(word.strip() for value in values for word in value.split(",") if word.strip())


def _spoken(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The turns of users who said something themselves."""
    return [
        {**message, "content": words}
        for message in messages
        if (words := [b for b in message["content"] if b["type"] != "tool_result"])
    ]


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, f"The request body is not valid JSON: {error}") from None
