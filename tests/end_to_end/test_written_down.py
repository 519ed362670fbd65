"""What files keep of conversations: nobody's secret, and of media no more than the beginning."""

import json

import pytest

from support.media_samples import coded, image_part, picture, showing
from support.own_credentials import CHOICES, KEYS, TOKENS, served, settings
from support.raw_http import CHAT, send
from support.simulator import running_simulator

CLIENT_KEY = "canary-client-key-1b2c3d4e5f"
PASSWORD = "canary-password-5e4d3c2b1a"
USERS = {"ivan": PASSWORD}
BOUND = 256 * 1024
"""Bytes of a body that are written down."""


@pytest.fixture(scope="module")
def own_simulator():
    with running_simulator() as simulator:
        simulator.control(options={**CHOICES, "gigachat_users": USERS})
        yield simulator


@pytest.fixture(params=["callbacks", "asgi"])
def written(request, own_simulator, tmp_path, capfd):
    """Calls the gateway; then gives its records and all that it has logged."""
    rest = f"""
[server]
http = "{request.param}"
api_keys = ["{CLIENT_KEY}"]
[traffic_log]
file = "{tmp_path}/traffic.jsonl"
content = true
"""
    toml = settings(own_simulator, rest=rest)
    said = f'[log]\nlevel = "debug"\nbodies = true\nrequests = "all"\nfile = "{tmp_path}/log"\n'
    assert '[log]\nlevel = "error"\nrequests = "none"\n' in toml
    toml = toml.replace('[log]\nlevel = "error"\nrequests = "none"\n', said)

    def write(*calls):
        with served(own_simulator, tmp_path, toml) as gateway:
            statuses = [call(gateway) for call in calls]
        text = (tmp_path / "traffic.jsonl").read_text("utf-8")
        records = [json.loads(line) for line in text.splitlines()]
        out = capfd.readouterr()
        return statuses, records, [text, (tmp_path / "log").read_text("utf-8"), out.out, out.err]

    return write


def chat(headers, query="", part=None, **members):
    """A call that asks for a conversation, and gives its status."""
    messages = showing(*([part] if part else []), text="Hello")
    body = {"model": "GigaChat-2-Max", "messages": messages, **members}

    def call(gateway):
        sent = {"content-type": "application/json", **headers}
        return send(gateway, body, path=CHAT + query, headers=sent).status

    return call


def test_no_credential_is_written_down_wherever_it_stands(written):
    user = f"giga-user-ivan:{PASSWORD}"
    secrets = [CLIENT_KEY, PASSWORD, KEYS[0], KEYS[1], TOKENS[0]]
    own = {"authorization": f"Bearer {CLIENT_KEY}"}
    statuses, records, places = written(
        chat({**own, "x-api-key": f"giga-cred-{KEYS[0]}"}),
        chat({**own, "x-api-key": f"giga-auth-{TOKENS[0]}"}, stream=True),
        chat({**own, "x-api-key": user}, part=image_part(picture())),
        chat({"authorization": f"Bearer giga-cred-{KEYS[1]}"}, f"?key={CLIENT_KEY}"),
        chat({"authorization": f"Bearer giga-cred-{KEYS[1]}"}),
        chat({**own, "x-api-key": "giga-auth-no-such-token-as-this"}, user=f"giga-cred-{KEYS[1]}"),
    )
    assert statuses == [200, 200, 200, 200, 401, 401]
    assert [record["status_code"] for record in records] == statuses
    assert [text.count(secret) for text in places for secret in secrets] == [0] * 20
    assert "Hello" in places[0]
    assert "Hello" in places[1]


def test_of_a_picture_the_beginning_is_kept(written):
    shown = picture("BMP", size=(600, 400))
    headers = {"authorization": f"Bearer {CLIENT_KEY}"}
    statuses, records, places = written(chat(headers, part=image_part(shown, "image/bmp")))
    assert statuses == [200]
    assert records[0]["provider"] == "gigachat"
    assert coded(shown)[:200] not in places[0]
    assert coded(shown)[:200] not in places[1]
    for text in places[:2]:
        assert len(text) < BOUND
    assert "more bytes)" in json.dumps(records[0])
