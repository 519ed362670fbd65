"""Canaries: every secret that the gateway holds or is given is distinctive here, and after a mix of
good and failing requests none of them stands in anything that anybody can read.

The gateway runs as ``dragoman serve`` with the most talkative log, so that all of its standard
error is looked at.
"""

import base64
import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from support.raw_http import CHAT, chat_body, send
from support.replay_upstream import ISSUED_TOKEN, answer_of, replay_upstream
from support.simulator import Reply, running_simulator

CLIENT_KEY = "canary-client-5c1f0b7e2d"
WRONG_KEY = "canary-stranger-9ad3c64411"
GIGACHAT_SECRET = "canary-gigachat-77e0a1b2c3"
GIGACHAT_KEY = base64.b64encode(f"canary-id-0c9d8e7f:{GIGACHAT_SECRET}".encode()).decode()
OPENAI_KEY = "sk-canary-openai-1f2e3d4c5b6a7988"
PLAIN_KEY = "canaryplain1f2e3dqwertz4c5b6a7988"
"""Of no form that could be recognised."""
OWN_KEY = base64.b64encode(b"canary-own-id-1234:canary-own-secret-5678").decode()
OWN_TOKEN = "canary-own-token-4f3e2d1c0b9a"
OWN_PASSWORD = "canary-own-password-a1b2c3d4"
"""What a caller brings."""
BODY_CANARY = "canary-prompt-31415926535"

SECRETS = {
    CLIENT_KEY,
    WRONG_KEY,
    GIGACHAT_SECRET,
    GIGACHAT_KEY,
    OPENAI_KEY,
    PLAIN_KEY,
    ISSUED_TOKEN,
    OWN_KEY,
    OWN_TOKEN,
    OWN_PASSWORD,
    "canary-own-secret-5678",
}

TOML = """
[server]
port = 0
api_keys = ["{client}"]
[log]
level = "debug"
format = "{format}"
requests = "all"
[retry]
attempts = 1
[queue]
max_wait = 1
[providers.gigachat]
kind = "gigachat"
base_url = "{url}/gigachat/api/v1"
auth_url = "{url}/gigachat/oauth"
credentials = ["{gigachat}"]
callers_credentials = true
limits = {{ in_flight = 0 }}
[providers.openai]
kind = "openai_compatible"
base_url = "{url}/openai/v1"
credentials = ["{openai}"]
models = ["gpt-4o"]
[providers.echoing]
kind = "openai_compatible"
base_url = "{echo}/v1"
credentials = ["{plain}"]
models = ["echo"]
[providers.echoing_gigachat]
kind = "gigachat"
base_url = "{echo}/api/v1"
auth_url = "{echo}/oauth"
credentials = ["{gigachat}"]
callers_credentials = true
limits = {{ in_flight = 0 }}
models = ["echo"]
[providers.broken]
kind = "gigachat"
base_url = "{url}/gigachat/api/v1"
auth_url = "{url}/gigachat/oauth"
credentials = ["{unknown}"]
"""
UNKNOWN_KEY = base64.b64encode(b"canary-unknown-55aa:canary-unknown-secret-66bb").decode()
SECRETS |= {UNKNOWN_KEY, "canary-unknown-secret-66bb"}


@pytest.fixture(scope="module")
def simulator():
    with running_simulator() as simulator:
        simulator.control(
            options={"gigachat_keys": {GIGACHAT_KEY: []}, "openai_keys": [OPENAI_KEY]}
        )
        yield simulator


@contextlib.contextmanager
def served(simulator, echo, folder, log_format):
    """``dragoman serve``; gives its port and, afterwards, everything that it printed."""
    file = folder / "dragoman.toml"
    file.write_text(
        TOML.format(
            url=simulator.url,
            echo=echo.url,
            plain=PLAIN_KEY,
            client=CLIENT_KEY,
            gigachat=GIGACHAT_KEY,
            openai=OPENAI_KEY,
            unknown=UNKNOWN_KEY,
            format=log_format,
        ),
        encoding="utf-8",
    )
    log = folder / "log"
    command = [sys.executable, "-m", "dragoman", "serve", "--config", str(file)]
    found = SimpleNamespace(printed="")
    with (
        log.open("w") as stream,
        subprocess.Popen(
            command,
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={"PATH": os.defpath},
        ) as process,
    ):
        try:
            found.port = port_of(log, process)
            yield found
        finally:
            process.terminate()
            process.wait(20)
    found.printed = log.read_text("utf-8")


def port_of(log, process):
    for _ in range(400):
        if match := re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text("utf-8")):
            return int(match[1])
        assert process.poll() is None, log.read_text("utf-8")
        time.sleep(0.025)
    return pytest.fail("the gateway did not start: " + log.read_text("utf-8"))


ECHOES = ["{0} is not allowed here", "Bad header: Bearer {0}", "Unknown token {0}.", "({0})"]
"""How a careless upstream repeats the credential that it was shown."""


@pytest.fixture(scope="module")
def echo():
    """An upstream whose every error repeats the credential; the model says how."""
    with replay_upstream() as upstream:
        for status in (200, 400, 404, 422, 429, 500):
            for number, words in enumerate(ECHOES):
                upstream.plays[f"{status}-{number}"] = repeating(upstream, status, words)
        yield upstream


def repeating(upstream, status, words):
    async def play(peer):
        key = upstream.keys[-1].partition(" ")[2]
        message = words.format(key)
        error = {"message": message, "type": "invalid_request_error", "code": key, "param": key}
        await peer.write(answer_of({"error": error, "message": message}, status, x_request_id=key))

    return play


def provoke(gateway, simulator, echo):
    """Good and failing requests of every sort; what their callers saw."""
    seen = []
    key = {"authorization": f"Bearer {CLIENT_KEY}", "content-type": "application/json"}

    def ask(body, headers=key, **more):
        with contextlib.suppress(http.client.HTTPException, ConnectionError):
            reply = send(gateway, body, headers=headers, **more)
            assert isinstance(reply, Reply)
            seen.append(reply)

    ask_for_faults(ask)
    ask_for_echoes(ask, echo)
    simulator.control(expire_tokens=True)
    ask(chat_body("gigachat/GigaChat-2"))
    ask(chat_body("broken/GigaChat-2"))
    ask(chat_body("broken/GigaChat-2", stream=True))
    for own in (f"cred-{OWN_KEY}", f"auth-{OWN_TOKEN}", f"user-ivan:{OWN_PASSWORD}", f"?{OWN_KEY}"):
        for model in ("gigachat/GigaChat-2", "echoing_gigachat/400-0", "echoing_gigachat/401-0"):
            ask(chat_body(model), {**key, "x-api-key": f"giga-{own}"})
    ask(b"{", {**key, "x-api-key": WRONG_KEY})
    ask(chat_body("openai/gpt-4o"), {"authorization": f"Bearer {WRONG_KEY}"})
    ask(chat_body("openai/gpt-4o"), {"x-api-key": WRONG_KEY})
    ask(chat_body("openai/gpt-4o"), path=f"{CHAT}?key={CLIENT_KEY}")
    ask(b"", method="GET", path=f"/v1/unheard/{CLIENT_KEY}")
    # Last, because they put the keys out of use.
    for target in ("openai/gpt-4o", "gigachat/GigaChat-2"):
        for fault in ("401", "402", "429 retry-after=60"):
            ask(chat_body(target, f"Hi [[fault:{fault}]]"))
    for path in ("/metrics", "/ready", "/health", "/v1/models"):
        ask(b"", method="GET", path=path)
    return seen


def ask_for_faults(ask):
    for target in ("openai/gpt-4o", "gigachat/GigaChat-2"):
        for stream in (False, True):
            ask(chat_body(target, stream=stream))
            for fault in ("500", "400", "403", "404", "html", "cut after=2", "bad-json", "drop"):
                ask(chat_body(target, f"{BODY_CANARY} [[fault:{fault}]]", stream=stream))
        ask({**chat_body(target), "messages": [{"role": BODY_CANARY}]})
        ask({**chat_body(target), "messages": CLIENT_KEY})
        ask({**chat_body(target), "temperature": CLIENT_KEY})
        ask({**chat_body(target), "stream": CLIENT_KEY})
        ask(chat_body(f"{target.split('/')[0]}/missing-{CLIENT_KEY}"))


def ask_for_echoes(ask, echo):
    for model in echo.plays:
        for provider in ("echoing", "echoing_gigachat"):
            for stream in (False, True):
                ask(chat_body(f"{provider}/{model}", stream=stream))


def issued_tokens(simulator):
    """Access tokens that the gateway has shown."""
    return {
        value.partition(" ")[2]
        for request in simulator.view()["last_requests"]
        for name, value in request["headers"]
        if name == "authorization" and value.startswith("Bearer simulated.")
    }


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_secret_is_ever_shown(simulator, echo, tmp_path, log_format):
    with served(simulator, echo, tmp_path, log_format) as gateway:
        seen = provoke(gateway, simulator, echo)
        tokens = issued_tokens(simulator)
    assert len(seen) > 60
    assert {200, 400, 401, 404, 502} <= {reply.status for reply in seen}
    assert tokens
    assert "GigaChat-2" in gateway.printed
    assert gateway.printed.count("\n") > 60
    hidden = SECRETS | tokens
    for secret in hidden:
        assert secret not in gateway.printed, lines_with(secret, gateway.printed)
    assert BODY_CANARY not in gateway.printed, lines_with(BODY_CANARY, gateway.printed)
    for reply in seen:
        text = json.dumps(reply.headers) + reply.body.decode("utf-8", "replace")
        # A caller may read what it has sent itself.
        for secret in hidden - {CLIENT_KEY, WRONG_KEY}:
            assert secret not in text, text[:1000]


def lines_with(text, printed):
    return [line for line in printed.splitlines() if text in line]
