"""The simulator's files, judged by the official SDK and by what the real service refuses."""

import base64
import contextlib
import warnings

import pytest
from gigachat import GigaChat
from gigachat.context import client_id_cvar
from gigachat.exceptions import BadRequestError, ForbiddenError, NotFoundError
from gigachat.models import Chat, Messages
from hypothesis import given
from hypothesis import strategies as st

from dragoman.simulators.multipart import Malformed, read_form
from dragoman.simulators.options import GIGACHAT_ACCESS_TOKEN, GIGACHAT_KEYS

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
BOUNDARY = b"edge"
FILES = "/gigachat/api/v1/files"


@pytest.fixture(autouse=True)
def _old_calls_are_fine():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@pytest.fixture
def settings(simulator):
    return {
        "base_url": simulator.server.gigachat_url,
        "auth_url": simulator.server.gigachat_auth_url,
        "credentials": GIGACHAT_KEYS[0],
        "scope": "GIGACHAT_API_PERS",
        "model": "GigaChat-2-Max",
    }


def about(*ids, model="GigaChat-2-Max", **members):
    message = Messages(role="user", content="What is it?", attachments=list(ids))
    return Chat(model=model, messages=[message], **members)


def form(*parts):
    body = b"".join(b"--" + BOUNDARY + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n"
                    for head, content in parts)  # fmt: skip
    return body + b"--" + BOUNDARY + b"--\r\n"


def file_part(content, media_type=b"image/png", name=b"a.png"):
    head = b'content-disposition: form-data; name="file"; filename="' + name + b'"'
    return head + b"\r\ncontent-type: " + media_type, content


PURPOSE = (b'content-disposition: form-data; name="purpose"', b"general")


def upload(simulator, body, content_type="multipart/form-data; boundary=edge"):
    headers = {
        "authorization": f"Bearer {GIGACHAT_ACCESS_TOKEN}",
        "content-type": content_type,
    }
    return simulator.post(FILES, body, headers)


def test_a_file_is_uploaded_listed_read_and_deleted(settings):
    with GigaChat(**settings) as client:
        file = client.upload_file(("a.png", PNG, "image/png"))
        assert (file.bytes_, file.filename, file.purpose) == (len(PNG), "a.png", "general")
        assert [each.id_ for each in client.get_files().data] == [file.id_]
        assert client.get_file(file.id_) == file.model_copy(
            update={"x_headers": client.get_file(file.id_).x_headers}
        )
        assert base64.b64decode(client.get_image(file.id_).content) == PNG
        assert client.delete_file(file.id_).deleted
        assert client.get_files().data == []
        with pytest.raises(NotFoundError):
            client.get_file(file.id_)


def test_a_chat_says_what_was_attached(settings):
    with GigaChat(**settings) as client:
        file = client.upload_file(("a.png", PNG, "image/png"))
        text = client.chat(about(file.id_)).choices[0].message.content
        assert f"attached: image/png of {len(PNG)} bytes" in text


def test_a_document_is_opened_by_a_built_in_function(settings):
    with GigaChat(**settings) as client:
        file = client.upload_file(("a.txt", b"words", "text/plain"))
        closed = client.chat(about(file.id_)).choices[0].message.content
        opened = client.chat(about(file.id_, function_call="auto")).choices[0].message.content
    assert "left unopened" in closed
    assert "text/plain of 5 bytes" in opened


def test_files_belong_to_a_key_and_to_a_client_id(settings):
    with GigaChat(**settings) as client:
        file = client.upload_file(("a.png", PNG, "image/png"))
        token = client_id_cvar.set("somebody")
        try:
            with pytest.raises(ForbiddenError):
                client.chat(about(file.id_))
        finally:
            client_id_cvar.reset(token)
    with GigaChat(**settings | {"credentials": GIGACHAT_KEYS[1]}) as other:
        assert other.get_files().data == []
        with pytest.raises(NotFoundError):
            other.chat(about(file.id_))


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("a.bin", b"x", "application/octet-stream"),
        ("a.webp", b"RIFF....WEBP", "image/webp"),
        ("a.png", b"no picture", "image/png"),
        ("a.txt", b"\xff\xfe\xfd", "text/plain"),
        ("a.txt", b"", "text/plain"),
    ],
)
def test_what_is_no_such_file_is_refused(settings, name, content, media_type):
    with GigaChat(**settings) as client, pytest.raises(BadRequestError):
        client.upload_file((name, content, media_type))


def test_a_file_over_its_limit_is_refused(simulator):
    big = PNG + bytes(15 * 1024 * 1024)
    assert upload(simulator, form(PURPOSE, file_part(big))).status == 413
    assert upload(simulator, form(PURPOSE, file_part(PNG))).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--edge--\r\n",
        form(PURPOSE),
        form(file_part(PNG)),
        form(PURPOSE, file_part(PNG, name=b"")),
        form(PURPOSE, PURPOSE, file_part(PNG)),
        form((PURPOSE[0], b"fun"), file_part(PNG)),
        form(PURPOSE, (b"content-type: image/png", PNG)),
        form(PURPOSE, file_part(PNG))[:-6],
    ],
)
def test_a_broken_form_is_refused(simulator, body):
    assert upload(simulator, body).status == 400


def test_a_form_with_a_foreign_field_or_without_a_boundary_is_refused(simulator):
    extra = (b'content-disposition: form-data; name="more"', b"x")
    assert upload(simulator, form(PURPOSE, file_part(PNG), extra)).status == 422
    assert upload(simulator, form(PURPOSE, file_part(PNG)), "application/json").status == 400


@given(st.lists(st.sampled_from([b"--edge", b"--", b"\r\n", b":", b'name="a"', b"x"]), max_size=12))
def test_any_bytes_are_a_form_or_malformed(pieces):
    with contextlib.suppress(Malformed):
        read_form("multipart/form-data; boundary=edge", b"".join(pieces))


def attach(simulator, *messages, model="GigaChat-2-Max"):
    return simulator.gigachat({"model": model, "messages": list(messages)})


def test_attachments_are_checked(simulator):
    ids = [upload(simulator, form(PURPOSE, file_part(PNG))).json["id"] for _ in range(2)]
    user = {"role": "user", "content": "x"}
    assert attach(simulator, {**user, "attachments": ids[:1]}).status == 200
    assert attach(simulator, {**user, "attachments": ids}).status == 422
    assert attach(simulator, {**user, "attachments": [1]}).status == 400
    assert attach(simulator, {**user, "attachments": ["nobody"]}).status == 404
    answer = {"role": "assistant", "content": "y"}
    said = attach(simulator, user, {**answer, "attachments": ids[:1]}, user)
    assert said.status == 422
    turns = [{**user, "attachments": ids[:1]}, answer] * 11
    assert attach(simulator, *turns, user).status == 422
    assert attach(simulator, {**user, "attachments": ids[:1]}, model="GigaChat").status == 422


def test_a_reset_and_an_order_forget_the_files(simulator):
    upload(simulator, form(PURPOSE, file_part(PNG)))
    headers = {"authorization": f"Bearer {GIGACHAT_ACCESS_TOKEN}"}
    assert len(simulator.get(FILES, headers).json["data"]) == 1
    simulator.control(forget_files=True)
    assert simulator.get(FILES, headers).json["data"] == []
