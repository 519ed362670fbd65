"""What comes instead of an answer."""

import pytest

from dragoman.dialects import gigachat
from dragoman.errors import (
    UpstreamBroken,
    UpstreamForbidden,
    UpstreamLostFile,
    UpstreamOutOfCredit,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamRejectedKey,
    UpstreamUnavailable,
)


def read(status, body=b"", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return gigachat.UPSTREAM.read_error(status, named, body)


TOO_LONG = "context_length_exceeded"
HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"
CASES = [
    (400, b'{"status":400,"message":"Your request is invalid JSON."}', UpstreamRefused, 400, None),
    (401, b'{"status":401,"message":"Token has expired"}', UpstreamRejectedKey, 502, None),
    (402, b'{"status":402,"message":"Paid out"}', UpstreamOutOfCredit, 429, "insufficient_quota"),
    (403, b'{"status":403,"message":"Permission denied"}', UpstreamForbidden, 502, None),
    (404, b'{"status":404,"message":"No such model"}', UpstreamRefused, 404, "model_not_found"),
    (404, b'{"status":404,"message":"No such file"}', UpstreamLostFile, 404, "file_not_found"),
    (
        403,
        b'{"status":403,"message":"Access to file \'1\' is denied"}',
        UpstreamLostFile,
        404,
        "file_not_found",
    ),
    (404, b'{"status":404,"message":"No such assistant"}', UpstreamRefused, 404, None),
    (413, b'{"status":413,"message":"Payload too large"}', UpstreamRefused, 400, TOO_LONG),
    (413, b"", UpstreamRefused, 400, TOO_LONG),
    (422, b'{"status":422,"message":"Invalid params: x"}', UpstreamRefused, 422, None),
    (422, b'{"status":422,"message":"exceeds the context"}', UpstreamRefused, 400, TOO_LONG),
    (429, b'{"status":429,"message":"Too Many Requests"}', UpstreamRateLimited, 429, None),
    (500, b'{"status":500,"message":"Internal Server Error"}', UpstreamUnavailable, 502, None),
    (502, HTML, UpstreamUnavailable, 502, None),
    (503, b"", UpstreamUnavailable, 503, None),
    (504, HTML, UpstreamUnavailable, 504, None),
    (401, b'{"code":6,"message":"credentials do not match"}', UpstreamRejectedKey, 502, None),
    (200, HTML, UpstreamBroken, 502, None),
    (302, b"", UpstreamBroken, 502, None),
    (200, b'{"status":429,"message":"Too Many Requests"}', UpstreamRateLimited, 429, None),
    (418, b"", UpstreamRefused, 418, None),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind", "seen", "code"), CASES)
def test_the_status_decides(status, body, kind, seen, code):
    error = read(status, body)
    assert type(error) is kind
    assert error.status == seen
    assert error.code == code
    assert b"<html>" not in error.message.encode()


def test_a_refusal_passes_the_reason_on():
    error = read(422, b'{"status":422,"message":"Requested model does not support functions"}')
    assert "Requested model does not support functions" in error.message


@pytest.mark.parametrize(
    ("status", "words", "param", "advice"),
    [
        (
            422,
            "Requested model does not support response_format",
            "response_format",
            "generation 3",
        ),
        (422, "Requested model does not support reasoning_effort", "reasoning_effort", "Leave"),
        (422, "Requested model does not support functions", "tools", "another model"),
        (422, "Invalid params: function_call: no such function", "tool_choice", ""),
        (400, "Invalid params: temperature must be greater than 0", "temperature", ""),
        (422, "Invalid params: no idea", None, ""),
        (404, "no such functions", None, ""),
    ],
)
def test_a_refused_member_is_named_as_the_caller_knows_it(status, words, param, advice):
    error = read(status, b'{"status":%d,"message":"%b"}' % (status, words.encode()))
    assert error.param == param
    assert advice in error.message
    assert error.message.endswith(words) is not bool(advice)


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7), ("0.5", 0.5), ("soon", None), ("-1", None), ("nan", None)]
)
def test_retry_after(value, seconds):
    assert read(429, retry_after=value).retry_after == seconds
    assert read(503, retry_after=value).retry_after == seconds


def test_the_operator_sees_the_request_id_and_the_words():
    error = read(401, b'{"status":401,"message":"Unauthorized"}', x_request_id="r-1")
    assert error.detail == "HTTP 401: Unauthorized (x-request-id r-1)"
    assert "Unauthorized" not in error.message


@pytest.mark.parametrize(
    "secret", ["Bearer abc.def", "basic Zm9vOmJhcg==", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0"]
)
def test_an_echoed_credential_is_masked(secret):
    error = read(400, f'{{"message":"bad header {secret}!"}}'.encode())
    shown = error.message + (error.detail or "")
    assert secret not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "body", [b'{"error":"words"}', b'{"error":{"message":"words"}}', b'{"message":"words"}']
)
def test_every_shape_gives_its_words(body):
    assert "words" in read(400, body).message


@pytest.mark.parametrize(
    "body", [b"[1]", b'"x"', b"{", b"\xff\xfe", b'{"message":7}', b"[" * 99999]
)
def test_odd_bodies_do_no_harm(body):
    assert read(400, body).status == 400
    assert read(500, body).status == 502
