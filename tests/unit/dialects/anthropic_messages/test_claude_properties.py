"""Whatever a caller brings: the simulator takes what we make of it, or the caller is told why."""

import json

from hypothesis import given, settings

from dragoman.dialects import anthropic_messages
from dragoman.errors import InvalidRequest
from dragoman.providers.catalogue import facts
from dragoman.simulators.anthropic_models import MODELS
from dragoman.simulators.anthropic_rules import check_request
from support.canonical_requests import requests
from support.scale import scaled


def written(request):
    return anthropic_messages.UPSTREAM.write_request(request, facts("anthropic", request.model))


def outcome(request):
    try:
        return written(request), None
    except InvalidRequest as error:
        return None, error


@settings(max_examples=scaled(300, 20_000), deadline=None)
@given(requests(sorted(MODELS)))
def test_every_conversation_is_taken_or_refused_by_name(request):
    sent, refusal = outcome(request)
    if refusal is not None:
        assert refusal.param
        return
    body = json.loads(b"".join(sent.body))
    check_request(body, frozenset())
    assert body["model"] == request.model
    again = written(request)
    assert again.body == sent.body, "what is cached depends on it"
