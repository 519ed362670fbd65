"""The settings that ``dragoman connect`` gives are those with which clients' own requests arrive.

A client that is set up as its page says sends its requests to this address, with this key and for
this model; what it sent when it was recorded has to arrive there and be served.
"""

import json
from pathlib import Path

import pytest

from dragoman.connect.catalogue import API_NAMES, SERVED, Endpoint, names, read
from dragoman.connect.wording import instructions
from support.gateway import running_gateway
from support.raw_http import CHAT, said_error, send
from support.recordings import client_requests
from support.target_gateways import QUIET

SAMPLES = Path(__file__).parent / "samples"
KEY = "CLIENT-KEY"
MODEL = "gpt-4o"
DROPPED = {"host", "content-length"}
SETTINGS = f"""{QUIET}
[server]
api_keys = ["{KEY}"]
[models."{MODEL}"]
targets = ["gigachat/GigaChat-2-Max"]
"""


def requests():
    """``(program, request)``: what was recorded, and for every machine our own samples."""
    for path in sorted(SAMPLES.glob("*.json")):
        request = json.loads(path.read_text("utf-8"))
        request |= {"path": CHAT, "body": request["body"] | {"model": MODEL}}
        yield pytest.param("openai-python", request, id=f"sample-{path.stem}")
    for name in names():
        program = read(name)
        captures = client_requests("openai-chat--*.json") if program.proven else []
        for path, request in captures:
            folder, _, capture = path.partition("/")
            if folder == program.captures and capture in program.proven:
                yield pytest.param(name, request, id=f"{name}-{capture}")


@pytest.fixture(scope="module")
def guarded(session_simulator, tmp_path_factory):
    toml = session_simulator.server.config_toml() + SETTINGS
    with running_gateway(toml, tmp_path_factory.mktemp("guarded")) as gateway:
        yield gateway


def headers(request, key=KEY):
    found = {name: value for name, value in request["headers"] if name.lower() not in DROPPED}
    (carrier,) = [name for name in found if name.lower() == "authorization"]
    assert found[carrier] == f"Bearer {KEY}"
    return found | {carrier: f"Bearer {key}"}


def asks_for_much(body):
    """Something that the page about GigaChat says it may refuse."""
    parts = [
        part["type"]
        for message in body["messages"]
        if isinstance(message.get("content"), list)
        for part in message["content"]
    ]
    several = (body.get("n") or 1) > 1 or body.get("logprobs") or body.get("top_logprobs")
    return bool(several or set(parts) - {"text", "refusal"})


@pytest.mark.parametrize(("name", "request_"), list(requests()))
def test_a_program_that_is_set_up_as_told_is_served(guarded, name, request_):
    endpoint = Endpoint(guarded.url, KEY, MODEL)
    told = "".join(text for _, _, text in instructions(read(name), endpoint, "FILE"))
    assert endpoint.values["url"] in told
    assert KEY in told
    assert f"{endpoint.values['url']}/chat/completions" == guarded.url + request_["path"]
    assert request_["body"]["model"] == MODEL
    reply = send(guarded, request_["body"], path=request_["path"], headers=headers(request_))
    if reply.status == 400 and asks_for_much(request_["body"]):
        assert said_error(reply)["param"], "what GigaChat cannot do is named by its path"
    else:
        target = reply.headers["x-dragoman-target"]
        assert (reply.status, target) == (200, "gigachat/GigaChat-2-Max")


def test_another_key_is_not_let_in(guarded):
    request = json.loads((SAMPLES / "schema.json").read_text("utf-8"))
    reply = send(guarded, request["body"], path=request["path"], headers=headers(request, "other"))
    assert reply.status == 401


PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "gemini": "/v1beta/models/gemini-2.5-pro:generateContent",
}


@pytest.mark.parametrize("api", API_NAMES)
def test_programs_are_refused_exactly_while_their_api_is_not_served(guarded, api):
    """Whoever serves another API has to say so in the catalogue, or its clients stay refused."""
    sent = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    reply = send(guarded, {"model": MODEL}, path=PATHS[api], headers=sent)
    assert (reply.status != 404) == (api in SERVED)
