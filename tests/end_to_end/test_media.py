"""Pictures, documents and recordings through the official ``openai`` SDK to GigaChat."""

import hashlib
import json

import openai
import pytest

from support.gateway import running_gateway
from support.media_samples import (
    PDF,
    audio_part,
    file_part,
    image_part,
    picture,
    showing,
    url_part,
    wav,
)
from support.picture_server import picture_server
from support.polling import until
from support.raw_http import connected, said_error, send
from support.simulator import running_simulator
from support.target_gateways import QUIET, enable_all_keys

MAX = "gigachat/GigaChat-2-Max"
UPLOAD = "POST /gigachat/api/v1/files"

SETTINGS = (
    QUIET
    + """
[server]
api_keys = ["first-client-key", "second-client-key"]

[media]
allow_private = true
"""
)


@pytest.fixture(scope="module")
def own_simulator():
    with running_simulator() as simulator:
        yield simulator


def one_key(simulator):
    """The settings with a single credential."""
    lines = simulator.server.config_toml().splitlines()
    first = next(line for line in lines if line.startswith("credentials"))
    return "\n".join(lines).replace(first, first.split(",")[0] + "]", 1)


@pytest.fixture(scope="module")
def lasting_gateway(own_simulator, tmp_path_factory):
    toml = one_key(own_simulator) + SETTINGS
    with running_gateway(toml, tmp_path_factory.mktemp("one")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def lasting_gateway_of_three(own_simulator, tmp_path_factory):
    toml = own_simulator.server.config_toml() + SETTINGS
    with running_gateway(toml, tmp_path_factory.mktemp("three")) as gateway:
        yield gateway


def refreshed(gateway, simulator):
    """No file is known to either, no fault waits; access tokens stay good."""
    simulator.control(clear_faults=True, forget_files=True)
    enable_all_keys(gateway)
    gateway.ask_loop(gateway.house.porters.hired["gigachat"].shelf.clear)
    simulator.uploads_before = all_uploads(simulator)
    return gateway


@pytest.fixture
def gateway(lasting_gateway, own_simulator):
    """With one credential."""
    yield refreshed(lasting_gateway, own_simulator)
    lasting_gateway.ended_well()


@pytest.fixture
def gateway_of_three(lasting_gateway_of_three, own_simulator):
    """With three credentials."""
    yield refreshed(lasting_gateway_of_three, own_simulator)
    lasting_gateway_of_three.ended_well()


@pytest.fixture(scope="module")
def pictures():
    with picture_server() as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def _sdk():
    """One client for all: making one takes long."""
    with openai.OpenAI(base_url="http://nowhere.invalid", api_key="any", max_retries=0) as client:
        Sdk.client = client
        yield


class Sdk:
    client = None


def sdk(gateway, key="first-client-key"):
    return Sdk.client.with_options(base_url=gateway.base_url, api_key=key)


def asked(gateway, *parts, key="first-client-key", model=MAX, **members):
    answer = sdk(gateway, key).chat.completions.create(
        model=model, messages=showing(*parts), **members
    )
    return answer.choices[0].message.content


def seen(content, media_type):
    digest = hashlib.sha256(content).hexdigest()[:12]
    return f"{media_type} of {len(content)} bytes, sha256 {digest}"


def all_uploads(simulator):
    return simulator.view()["requests"].get(UPLOAD, 0)


def uploads(simulator):
    """Since the test began."""
    return all_uploads(simulator) - simulator.uploads_before


def refused(gateway, *parts, model=MAX):
    headers = {"authorization": "Bearer first-client-key"}
    reply = send(gateway, {"model": model, "messages": showing(*parts)}, headers=headers)
    return reply, said_error(reply)


def test_a_picture_is_seen(gateway):
    shown = picture("PNG")
    assert seen(shown, "image/png") in asked(gateway, image_part(shown, detail="low"))


def test_a_picture_by_url_is_fetched_and_seen(gateway, pictures):
    shown = picture("JPEG")
    pictures.contents["/a"] = (302, {"location": "/b"}, b"")
    pictures.contents["/b"] = (200, {"content-type": "text/html"}, shown)
    assert seen(shown, "image/jpeg") in asked(gateway, url_part(pictures.url + "/a"))


def test_a_document_is_opened(gateway):
    assert seen(PDF, "application/pdf") in asked(gateway, file_part(PDF))


def test_a_recording_is_heard(gateway):
    assert seen(wav(), "audio/wav") in asked(gateway, audio_part(wav()))


def test_a_stream_describes_a_picture_too(gateway):
    shown = picture("PNG")
    chunks = sdk(gateway).chat.completions.create(
        model=MAX, messages=showing(image_part(shown)), stream=True
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert seen(shown, "image/png") in text


def test_a_format_that_gigachat_refuses_is_converted_and_said(gateway):
    answer = sdk(gateway).chat.completions.with_raw_response.create(
        model=MAX, messages=showing(image_part(picture("WEBP"), "image/webp"))
    )
    assert answer.headers["x-dragoman-fidelity"] == "adapted"
    changes = answer.headers["x-dragoman-changes"]
    assert changes == "adjusted=messages[0].content[1]:image/webp->image/jpeg"
    assert "attached: image/jpeg of" in answer.parse().choices[0].message.content


def test_the_second_time_nothing_is_uploaded(gateway, own_simulator):
    for _ in range(2):
        asked(gateway, image_part(picture()))
    assert uploads(own_simulator) == 1


def test_the_files_that_are_kept_are_counted(gateway):
    asked(gateway, image_part(picture()))
    headers = {"authorization": "Bearer first-client-key"}
    metrics = send(gateway, b"", path="/metrics", method="GET", headers=headers).body.decode()
    assert 'dragoman_media_files{provider="gigachat"} 1' in metrics


def test_two_callers_share_no_file(gateway, own_simulator):
    for key in ("first-client-key", "second-client-key", "first-client-key"):
        asked(gateway, image_part(picture()), key=key)
    assert uploads(own_simulator) == 2


def test_each_credential_gets_the_file(gateway_of_three, own_simulator):
    shown = picture()
    for _ in range(6):
        assert seen(shown, "image/png") in asked(gateway_of_three, image_part(shown))
    assert uploads(own_simulator) == 3


def test_after_a_rate_limit_another_credential_uploads_anew(gateway_of_three, own_simulator):
    own_simulator.control(faults=[{"fault": "429", "on": "/chat/completions"}])
    shown = picture()
    assert seen(shown, "image/png") in asked(gateway_of_three, image_part(shown))
    assert uploads(own_simulator) == 2


def test_an_upload_that_fails_is_tried_with_another_credential(gateway_of_three, own_simulator):
    own_simulator.control(faults=[{"fault": "503", "on": "/files"}])
    asked(gateway_of_three, image_part(picture()))
    assert uploads(own_simulator) == 2


def test_an_upload_that_is_refused_names_the_part(gateway, own_simulator):
    own_simulator.control(faults=[{"fault": "422", "on": "/files"}])
    reply, error = refused(gateway, image_part(picture()))
    assert (reply.status, error["param"]) == (422, "messages[0].content[1]")


@pytest.mark.parametrize("expire_tokens", [False, True])
def test_a_file_that_is_gone_is_uploaded_once_more(gateway, own_simulator, expire_tokens):
    shown = picture()
    asked(gateway, image_part(shown))
    own_simulator.control(forget_files=True, expire_tokens=expire_tokens)
    assert seen(shown, "image/png") in asked(gateway, image_part(shown))
    assert uploads(own_simulator) == 2


def test_an_expired_token_does_not_lose_the_upload(gateway, own_simulator):
    asked(gateway, image_part(picture()))
    before = own_simulator.view()["statuses"].get("401", 0)
    own_simulator.control(expire_tokens=True)
    asked(gateway, image_part(picture()))
    own_simulator.control(expire_tokens=True)
    asked(gateway, image_part(picture(color="blue")))
    assert own_simulator.view()["statuses"]["401"] == before + 2


def test_a_closing_gateway_deletes_what_it_uploaded(own_simulator, tmp_path):
    own_simulator.reset()
    with running_gateway(one_key(own_simulator) + SETTINGS, tmp_path) as gateway:
        asked(gateway, image_part(picture()))
        asked(gateway, file_part(PDF))
    headers = {"authorization": f"Bearer {own_simulator.gigachat_token()}"}
    assert own_simulator.get("/gigachat/api/v1/files", headers).json["data"] == []


BROKEN = image_part(b"")
BROKEN["image_url"]["url"] = "data:image/png;base64,AAA*"
NO_BASE64 = url_part("data:image/svg+xml,<svg/>")
BY_ID = {"type": "file", "file": {"file_id": "file-1"}}
REFUSED = {
    "bad base64": (400, lambda: BROKEN),
    "no base64": (400, lambda: NO_BASE64),
    "nothing": (400, lambda: image_part(b"")),
    "unknown bytes": (400, lambda: image_part(b"\x00\x01\x02\x03")),
    "a document as a picture": (400, lambda: image_part(PDF)),
    "a damaged picture": (400, lambda: image_part(picture("GIF")[:20], "image/gif")),
    "a format nobody converts": (400, lambda: image_part(b"\0\0\0\x18ftypheic" + bytes(16))),
    "another provider's file": (400, lambda: BY_ID),
    "another scheme": (400, lambda: url_part("file:///etc/passwd")),
    "a large picture": (413, lambda: image_part(picture("BMP", size=(2300, 2300)))),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_go_is_refused_by_its_path_before_any_call(gateway, own_simulator, case):
    status, part = REFUSED[case]
    before = own_simulator.view()["requests"]
    reply, error = refused(gateway, part())
    assert (reply.status, error["param"]) == (status, "messages[0].content[1]"), error
    after = own_simulator.view()["requests"]
    for path in (UPLOAD, "POST /gigachat/api/v1/chat/completions"):
        assert after.get(path) == before.get(path)


def test_a_model_without_eyes_and_a_second_picture_are_refused(gateway):
    reply, error = refused(gateway, image_part(picture()), model="gigachat/GigaChat-2")
    assert (reply.status, error["param"]) == (400, "messages[0].content[1]")
    reply, error = refused(gateway, image_part(picture()), image_part(picture()))
    assert (reply.status, error["param"]) == (400, "messages[0].content[2]")


def test_what_may_not_change_is_refused_instead_of_converted(gateway):
    body = {"model": MAX, "messages": showing(image_part(picture("WEBP"), "image/webp"))}
    headers = {
        "authorization": "Bearer first-client-key",
        "x-dragoman-on-unsupported": "reject",
    }
    reply = send(gateway, body, headers=headers)
    assert (reply.status, said_error(reply)["param"]) == (400, "messages[0].content[1]")


def test_a_missing_picture_is_the_callers_affair(gateway, pictures):
    reply, error = refused(gateway, url_part(pictures.url + "/nowhere?secret=1"))
    assert reply.status == 400
    assert "127.0.0.1 answered with status 404" in error["message"]
    assert "secret" not in error["message"]
    pictures.contents["/big"] = (200, {}, bytes(16 * 1024 * 1024))
    reply, error = refused(gateway, url_part(pictures.url + "/big"))
    assert (reply.status, error["param"]) == (413, "messages[0].content[1]")


def test_by_default_nothing_private_is_fetched(own_simulator, tmp_path, pictures):
    own_simulator.reset()
    pictures.asked.clear()
    toml = one_key(own_simulator) + SETTINGS.replace("allow_private = true", "")
    with running_gateway(toml, tmp_path) as gateway:
        reply, error = refused(gateway, url_part(pictures.url + "/a"))
        assert reply.status == 400
        assert "not on the public internet" in error["message"]
    assert pictures.asked == []


def test_the_same_dialect_passes_pictures_untouched(gateway, own_simulator):
    asked(gateway, image_part(b"whatever"), model="openai/gpt-4o")
    assert uploads(own_simulator) == 0


async def test_a_client_that_leaves_stops_the_upload_and_frees_the_credential(
    gateway, own_simulator
):
    own_simulator.control(faults=[{"fault": "slow:seconds=60", "on": "/files"}])
    gone = own_simulator.view()["disconnects"]
    body = json.dumps({"model": MAX, "messages": showing(image_part(picture()))}).encode()
    with connected(gateway) as sock:
        sock.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
            b"authorization: Bearer first-client-key\r\n"
            b"content-length: %d\r\n\r\n" % len(body) + body
        )
        await until(lambda: own_simulator.view()["in_flight"].get("gigachat"))
        assert gateway.leases() == 1
    await until(lambda: own_simulator.view()["disconnects"] == gone + 1)
    assert gateway.leases() == 0
    asked(gateway, image_part(picture()))
