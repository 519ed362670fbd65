import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.telemetry.masking import MASK, MAX_TEXT, Masker

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLW9mLWl0"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nAbCd\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer ***"),
        ("authorization: bearer key-4711", "authorization: bearer ***"),
        ('{"authorization":"Bearer abcdef"}', '{"authorization":"Bearer ***"}'),
        ("Basic dXNlcjpwYXNz and more", "Basic *** and more"),
        ("Incorrect API key provided: sk-proj-abc_DEF123.", "Incorrect API key provided: ***."),
        ("sk-ant-api03-abcdefgh", "***"),
        ("url?key=AIzaSyA1234567890abcdefghij_-", "url?key=***"),
        ("AIzaSyA1234567890abcdefghij_- failed", "*** failed"),
        ("id AKIAIOSFODNN7EXAMPLE", "id ***"),
        (f"token {JWT}, sent", "token ***, sent"),
        ("GET /v1beta/models?key=abc&alt=sse", "GET /v1beta/models?key=***&alt=sse"),
        ("?access_token=abc&client_secret=x#f", "?access_token=***&client_secret=***#f"),
        ("X-Amz-Signature=abc123&X", "X-Amz-Signature=***&X"),
        ("proxy http://me:hidden@host:3128/", "proxy http://me:***@host:3128/"),
        (f"key:\n{PEM}\nend", "key:\n***\nend"),
        ("-----BEGIN PRIVATE KEY-----\\nMIIEow", "***"),
        ("ya29.a0AfH6SMBx-y", "***"),
        ("sent giga-cred-YTpi:PERS, refused", "sent giga-cred-***, refused"),
        ('{"key":"giga-auth-abc.def"}', '{"key":"giga-auth-***"}'),
        ("Giga-User-ivan:secret", "Giga-User-***"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text, masked):
    assert Masker().mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "Send your key as a Bearer token.",
        "Basic authentication failed",
        "the task-list-something and a risk-assessment",
        "https://example.com:8080/path and me@example.com",
        "GigaChat-2-Max answered in 812 ms",
        "max_tokens=100",
        "",
    ],
)
def test_ordinary_text_stays(text):
    assert Masker().mask(text) == text


SECRET = 'p"ä/ss+wörd=0815'


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    ],
)
def test_a_registered_secret_is_masked_in_every_common_spelling(spelling):
    masked = Masker([SECRET]).mask(f"before {spelling} after")
    assert masked.startswith(f"before {MASK}")
    assert masked.endswith(" after")


def test_of_two_registered_secrets_the_longer_goes_first():
    masker = Masker(["abcdef", "abcdef-ghi"])
    assert masker.mask("abcdef-ghi abcdef") == f"{MASK} {MASK}"


def test_a_value_too_short_to_be_a_secret_does_not_blank_out_words():
    masker = Masker(["", "a", "the"])
    assert masker.mask("the cat") == "the cat"


def test_values_are_masked_by_their_name_and_at_any_depth():
    masker = Masker(["hidden-value"])
    event = {
        "event": "call failed",
        "Authorization": "anything",
        "headers": {"x-api-key": "anything", "accept": "hidden-value"},
        "list": [1, None, True, 2.5, ("hidden-value", b"hidden-value")],
        "error": ValueError("hidden-value"),
        "hidden-value": "a name",
        "password": None,
        "tokens_in": 17,
    }
    assert masker.mask_event(event) == {
        "event": "call failed",
        "Authorization": MASK,
        "headers": {"x-api-key": MASK, "accept": MASK},
        "list": [1, None, True, 2.5, [MASK, MASK]],
        "error": MASK,
        MASK: "a name",
        "password": None,
        "tokens_in": 17,
    }


def test_an_object_is_masked_in_the_form_in_which_it_would_be_printed():
    class Careless:
        def __repr__(self):
            return "Careless(hidden-value)"

    assert Masker(["hidden-value"]).mask_event({"it": Careless()}) == {"it": f"Careless({MASK})"}


def test_nesting_is_cut_off():
    event = {}
    inner = event
    for _ in range(1000):
        inner["deeper"] = inner = {}
    assert len(json.dumps(Masker().mask_event(event))) < 200


def test_long_text_is_cut_and_says_so():
    masked = Masker().mask("word " * 10_000)
    assert masked.endswith(f"({50_000 - MAX_TEXT} more characters)")
    assert len(masked) < MAX_TEXT + 50


@pytest.mark.parametrize("before", range(MAX_TEXT - 30, MAX_TEXT + 2, 3))
def test_a_secret_across_the_cut_leaves_no_more_than_a_few_characters(before):
    secret = "abab-canary-abab-canary-0815"
    masked = Masker([secret]).mask("." * before + secret + "." * 50)
    assert secret[:6] not in masked


@given(
    secret=st.text(min_size=4, max_size=40),
    before=st.text(max_size=30),
    after=st.text(max_size=30),
)
def test_no_registered_secret_survives(secret, before, after):
    masker = Masker([secret])
    assert secret not in masker.mask(before + secret + after).replace(MASK, "\0")


@pytest.mark.parametrize(
    "unit",
    [
        "eyJ",
        "sk-",
        "://a",
        "a.",
        "key=",
        "Bearer ",
        "-----BEGIN PRIVATE KEY-----",
        "Basic A",
        "-",
        "AIza",
    ],
)
def test_hostile_text_of_any_length_comes_back(unit):
    assert isinstance(Masker(["abab" * 10]).mask(unit * (MAX_TEXT // len(unit))), str)
