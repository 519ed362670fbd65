"""GigaChat's files API as the gateway calls it; the simulator's strict reader reads the forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.errors import (
    RequestTooLarge,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamRejectedKey,
    UpstreamUnavailable,
)
from dragoman.providers.base import Attached
from dragoman.providers.gigachat_files import TYPES, GigaChatFiles, _form
from dragoman.providers.signing import signed_headers
from dragoman.simulators.gigachat_files import KINDS
from dragoman.simulators.multipart import read_form
from support.scripted_fetch import ScriptedFetch, json_answer

LINE = b"authorization: Bearer token\r\n"
FILE = Attached(b"content", "image/png", "Имя.png")


def files(*answers):
    left = list(answers)
    fetch = ScriptedFetch(lambda _: left.pop(0))
    return GigaChatFiles("https://giga/api/v1", fetch), fetch


async def test_an_upload_is_a_signed_form():
    store, fetch = files(json_answer({"id": "file-1", "object": "file"}))
    assert await store.upload(LINE, FILE) == "file-1"
    (asked,) = fetch.asked
    assert (asked.method, asked.url) == ("POST", "https://giga/api/v1/files")
    assert asked.headers["authorization"] == "Bearer token"
    form = read_form(asked.headers["content-type"], asked.body)
    assert form["purpose"].content == b"general"
    sent = form["file"]
    assert (sent.content, sent.media_type, sent.filename) == (b"content", "image/png", "Имя.png")


@given(st.binary(max_size=200), st.text(max_size=20))
def test_any_content_and_name_make_a_form_of_two_fields(content, name):
    boundary, body = _form(Attached(content, "text/plain", "n" + name.replace("\\", "")))
    form = read_form(f"multipart/form-data; boundary={boundary}", body)
    assert set(form) == {"purpose", "file"}
    assert form["file"].content == content
    assert form["file"].filename.startswith("n")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (json_answer({"status": 413, "message": "Payload too large"}, 413), RequestTooLarge),
        (json_answer({"status": 400, "message": "Unsupported file type"}, 400), UpstreamRefused),
        (json_answer({"status": 401, "message": "Unauthorized"}, 401), UpstreamRejectedKey),
        (json_answer({"status": 503, "message": "x"}, 503), UpstreamUnavailable),
        ((200, {}, b"<html>"), UpstreamBroken),
        (json_answer({"object": "file"}), UpstreamBroken),
    ],
)
async def test_failures_are_typed(answer, error):
    store, _ = files(answer)
    with pytest.raises(error):
        await store.upload(LINE, FILE)


async def test_a_file_is_deleted_by_a_post():
    store, fetch = files(json_answer({"id": "a/b", "deleted": True}))
    await store.delete(LINE, "a/b?")
    (asked,) = fetch.asked
    assert (asked.method, asked.body) == ("POST", b"")
    assert asked.url == "https://giga/api/v1/files/a%2Fb%3F/delete"


async def test_a_file_that_is_gone_is_as_good_as_deleted():
    store, _ = files(json_answer({"status": 404, "message": "File 'x' not found"}, 404))
    await store.delete(LINE, "x")
    store, _ = files(json_answer({"status": 500, "message": "x"}, 500))
    with pytest.raises(UpstreamUnavailable):
        await store.delete(LINE, "x")


def test_every_type_that_is_sent_is_one_that_the_simulator_takes():
    assert set(TYPES.values()) <= set(KINDS)


def test_header_lines_become_pairs():
    assert list(signed_headers(b"")) == []
    assert list(signed_headers(b"a: b: c\r\nd: e\r\n")) == [("a", "b: c"), ("d", "e")]
