"""Errors in both directions."""

import json

import pytest

from dragoman import errors
from dragoman.dialects.openai_chat import CLIENT, UPSTREAM
from dragoman.dialects.openai_chat.errors import _SPELLINGS
from dragoman.dialects.openai_chat.redaction import LONGEST, masked
from dragoman.errors import (
    GatewayError,
    UpstreamBroken,
    UpstreamForbidden,
    UpstreamOutOfCredit,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamRejectedKey,
    UpstreamTimeout,
    UpstreamUnavailable,
)


def kinds():
    found = [
        v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, GatewayError)
    ]
    return sorted({error.kind for error in found})


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_of_error_has_a_spelling(kind):
    assert kind in _SPELLINGS


WRITTEN = [
    (errors.InvalidRequest("m", param="p", code="c"), ("invalid_request_error", "p", "c")),
    (
        errors.UnsupportedByTarget("m", param="n"),
        ("invalid_request_error", "n", "unsupported_parameter"),
    ),
    (errors.Unauthenticated("m"), ("invalid_request_error", None, "invalid_api_key")),
    (errors.Forbidden("m"), ("permission_error", None, "model_not_allowed")),
    (errors.ModelNotFound("m"), ("invalid_request_error", None, "model_not_found")),
    (errors.RequestTooLarge("m"), ("invalid_request_error", None, "request_too_large")),
    (errors.UnsupportedEncoding("m"), ("invalid_request_error", None, "unsupported_media_type")),
    (errors.QueueFull("m"), ("requests", None, "rate_limit_exceeded")),
    (errors.NoCredential("m"), ("server_error", None, "no_available_target")),
    (errors.UpstreamRateLimited("m"), ("requests", None, "rate_limit_exceeded")),
    (errors.UpstreamOutOfCredit("m"), ("insufficient_quota", None, "insufficient_quota")),
    (errors.UpstreamRejectedKey("m"), ("server_error", None, "upstream_authentication")),
    (errors.UpstreamBroken("m"), ("server_error", None, "upstream_error")),
    (errors.UpstreamTimeout("m"), ("server_error", None, "timeout")),
    (
        errors.UpstreamRefused("m", status=422, param="p", code="c"),
        ("invalid_request_error", "p", "c"),
    ),
    (errors.UpstreamRefused("m", status=409), ("conflict_error", None, None)),
    (errors.InternalError("m"), ("server_error", None, None)),
]


@pytest.mark.parametrize(("error", "expected"), WRITTEN)
def test_an_error_always_has_its_four_members(error, expected):
    kind, param, code = expected
    body = {"error": {"message": "m", "type": kind, "param": param, "code": code}}
    assert json.loads(CLIENT.write_error(error)) == body
    data = CLIENT.stream_error(error)
    assert data.startswith(b"data: ")
    assert data.endswith(b"\n\n")
    assert json.loads(data[6:]) == body


@pytest.mark.parametrize("status", [418, 429, 503])
def test_an_error_of_a_new_kind_is_told_by_its_status(status):
    class Unheard(GatewayError):
        kind = "unheard"

    error = Unheard("m")
    error.status = status
    expected = {418: "invalid_request_error", 429: "requests", 503: "server_error"}
    assert json.loads(CLIENT.write_error(error))["error"]["type"] == expected[status]


def read(status, body, headers=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return UPSTREAM.read_error(status, headers or {}, data)


def openai(message="m", **members):
    return {"error": {"message": message, **members}}


READ = [
    (401, openai(code="invalid_api_key"), UpstreamRejectedKey),
    (403, openai(), UpstreamForbidden),
    (403, openai(code="insufficient_quota"), UpstreamOutOfCredit),
    (402, {}, UpstreamOutOfCredit),
    (429, openai(code="insufficient_quota"), UpstreamOutOfCredit),
    (429, openai(type="insufficient_quota"), UpstreamOutOfCredit),
    (429, openai(code="rate_limit_exceeded"), UpstreamRateLimited),
    (429, {"message": "Requests rate limit exceeded"}, UpstreamRateLimited),
    (408, b"", UpstreamUnavailable),
    (500, b"<html><h1>Oops</h1></html>", UpstreamUnavailable),
    (503, b"", UpstreamUnavailable),
    (529, {}, UpstreamUnavailable),
    (504, b"", UpstreamTimeout),
    (400, b"", UpstreamRefused),
    (404, b"<html>", UpstreamRefused),
    (409, [], UpstreamRefused),
    (413, "text", UpstreamRefused),
    (302, b"", UpstreamBroken),
]


@pytest.mark.parametrize(("status", "body", "kind"), READ)
def test_an_upstreams_status_and_code_tell_the_error(status, body, kind):
    error = read(status, body)
    assert type(error) is kind
    assert error.message


REFUSALS = [
    (
        openai("bad", param="tools[0]", code="unsupported_parameter"),
        "bad",
        "tools[0]",
        "unsupported_parameter",
    ),
    (openai("bad", code=400), "bad", None, None),
    (openai("bad", code="400"), "bad", None, None),
    ({"error": "bad"}, "bad", None, None),
    ({"message": "bad", "object": "error", "code": "1500x"}, "bad", None, "1500x"),
    ({"detail": "bad"}, "bad", None, None),
    (
        {"detail": [{"loc": ["body", "messages", 0, "content"], "msg": "bad"}]},
        "bad",
        "messages[0].content",
        None,
    ),
    ([{"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}], "bad", None, None),
    (
        openai("This model's maximum context length is 8"),
        "This model's maximum context length is 8",
        None,
        "context_length_exceeded",
    ),
    (openai("maximum context length", code="other"), "maximum context length", None, "other"),
]


@pytest.mark.parametrize(("body", "message", "param", "code"), REFUSALS)
def test_a_refusal_keeps_what_the_caller_needs(body, message, param, code):
    error = read(422, body)
    assert isinstance(error, UpstreamRefused)
    assert (error.status, error.message, error.param, error.code) == (422, message, param, code)


WAITS = [
    ({"retry-after": "7"}, 7.0),
    ({"retry-after": "0.5"}, 0.5),
    ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
    ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
    ({"retry-after": "-5"}, None),
    ({"retry-after": "inf"}, None),
    ({"retry-after": "nan"}, None),
    ({"retry-after": "99999999"}, 86400.0),
    ({}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), WAITS)
def test_the_upstreams_wish_to_wait_is_kept(headers, seconds):
    assert read(429, {}, headers).retry_after == seconds
    assert read(503, {}, headers).retry_after == seconds


SECRETS = [
    "Incorrect API key provided: sk-proj-abc123def456. Find yours",
    "key sk-ant-api03-AAAA1111_bbbb is bad",
    "Authentication Fails, Your api key: ****-key is invalid",
    "Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc",
    "AIzaSyA1234567890abcdefghijk",
    "xai-1234abcd and gsk_1234abcd and hf_1234abcd",
    "quota of org-AbCdEf123456 and proj_AbCdEf123456",
    "write to admin@corp.example.com",
    "see https://internal.example.com:8443/x?key=1",
    "upstream gpu-7.cluster.example.com:9000 refused",
    "connect to 10.1.2.3:443 failed",
    "arn:aws:bedrock:us-east-1:123456789012:model/x",
    "AKIAIOSFODNN7EXAMPLE",
]
LEAKS = (
    "abc123",
    "AAAA1111",
    "****",
    "eyJ",
    "AIza",
    "1234abcd",
    "AbCdEf",
    "admin",
    "example",
    "10.1.2.3",
    "123456789012",
    "AKIA",
)


@pytest.mark.parametrize("text", SECRETS)
def test_nothing_secret_is_passed_on(text):
    error = read(400, openai(text, code="x"))
    for leak in LEAKS:
        assert leak not in error.message
        assert leak not in error.detail


@pytest.mark.parametrize(
    "text",
    [
        "The model `gpt-4.1-mini` does not exist.",
        "Invalid schema for function 'get_weather': In context=(), 'required' is missing.",
        "messages.2.content.0.image_url: unsupported media type image/heic",
        "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
        "org-wide limits are not task-specific; key_name and sk-learn are words",
    ],
)
def test_useful_words_stay(text):
    assert masked(text) == text


def test_a_long_message_is_cut():
    assert len(masked("word " * 10_000)) == LONGEST
