"""Signatures equal to AWS's own SDK, and to vectors computed by hand."""

from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.providers.aws_signature import AwsKey, AwsSigner, Request, Scope
from support.scale import scaled

HOST = "bedrock-runtime.us-east-1.amazonaws.com"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOON = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

ASCII = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)
PATHS = st.text(st.sampled_from("abcXYZ019-._~/%:+@!$&'()*,;= "), max_size=40)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
QUERIES = st.lists(
    st.tuples(st.text(st.sampled_from("abz-_.~"), min_size=1, max_size=5), st.text(max_size=8)),
    max_size=4,
    unique_by=lambda pair: pair[0],
)


def signed_by_sdk(request: Request, key: AwsKey, scope: Scope, now: datetime) -> str:
    sent = AWSRequest(
        request.method,
        f"https://{request.headers['host']}{request.path}"
        + (f"?{request.query}" if request.query else ""),
        headers=dict(request.headers),
        data=request.body,
    )
    credentials = Credentials(key.access_key_id, key.secret_access_key, key.session_token)
    with patch("botocore.auth.get_current_datetime", return_value=now.replace(tzinfo=None)):
        SigV4Auth(credentials, scope.service, scope.region).add_auth(sent)
    return sent.headers["Authorization"]


@pytest.mark.parametrize(
    ("token", "signature"),
    [
        (None, "663ddd65b03a7249602e254d0d0856b7152231c05065b092f35374d151c4c98f"),
        ("TESTTOKEN", "24c3f794a4e23e83934d33bef81ef99b52546f8981fdee3751e681252becea28"),
    ],
)
def test_known_signatures(token, signature):
    request = Request(
        "POST",
        "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse",
        {"host": HOST, "content-type": "application/json"},
        b'{"messages":[]}',
    )
    signer = AwsSigner(AwsKey("AKIDEXAMPLE", SECRET, token), Scope("us-east-1", "bedrock"))
    added = signer.sign(request, NOON.timestamp())
    assert added["authorization"].endswith(f"Signature={signature}")
    assert added["x-amz-date"] == "20260102T030405Z"
    assert added.get("x-amz-security-token") == token


@pytest.mark.timeout(900)
@settings(max_examples=scaled(300, 10_000), deadline=None)
@given(data=st.data())
def test_any_request_is_signed_as_the_sdk_signs_it(data):
    draw = data.draw
    path = "/" + draw(PATHS).lstrip("/").replace("%", "%25").replace(" ", "%20")
    query = "&".join(f"{name}={quote(value, safe='-._~')}" for name, value in draw(QUERIES))
    headers = {"host": draw(st.sampled_from([HOST, "localhost:9099", "vpce-1.example"]))}
    for name in draw(st.lists(st.sampled_from(["content-type", "x-amz-a", "x-b"]), unique=True)):
        headers[name] = draw(VALUES)
    method = draw(st.sampled_from(["GET", "POST"]))
    body = draw(st.binary(max_size=50)) if method == "POST" else b""
    request = Request(method, path, headers, body, query)
    key = AwsKey(draw(ASCII.filter(bool)), draw(ASCII), draw(st.none() | ASCII.filter(bool)))
    scope = Scope(draw(st.sampled_from(["us-east-1", "eu-west-3"])), "bedrock")
    moment = draw(st.datetimes(datetime(2001, 1, 1), datetime(2090, 1, 1))).replace(  # noqa: DTZ001  # made UTC here
        microsecond=0, tzinfo=UTC
    )
    added = AwsSigner(key, scope).sign(request, moment.timestamp())
    assert added["authorization"] == signed_by_sdk(request, key, scope, moment)


def test_one_signer_signs_on_over_midnight():
    signer = AwsSigner(AwsKey("A", SECRET), Scope("us-east-1", "bedrock"))
    request = Request("GET", "/", {"host": HOST})
    for hour in (23, 24, 25, 23):
        now = NOON.timestamp() + 3600 * hour
        moment = datetime.fromtimestamp(now, UTC)
        assert signer.sign(request, now)["authorization"] == signed_by_sdk(
            request, AwsKey("A", SECRET), Scope("us-east-1", "bedrock"), moment
        )


def test_a_key_does_not_show_its_secret():
    key = AwsKey("AKIDEXAMPLE", SECRET, "TESTTOKEN")
    assert SECRET not in f"{key!r} {key}"
    assert "TESTTOKEN" not in f"{key!r} {key}"
