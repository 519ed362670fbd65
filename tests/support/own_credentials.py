"""Gateways whose callers bring GigaChat credentials of their own, and what the simulator saw."""

import base64
import contextlib

from support.gateway import running_gateway
from support.raw_http import CHAT, chat_body, send
from support.target_gateways import QUIET

MODEL = "GigaChat-2"
SERVERS_KEY = base64.b64encode(b"servers-client:servers-secret").decode()
SERVERS_TOKEN = "servers-ready-access-token"
KEYS = [base64.b64encode(f"caller-{n}:secret-{n}".encode()).decode() for n in range(8)]
TOKENS = [f"callers-ready-token-{n}" for n in range(4)]
USERS = {"ivan": "pass:word", "maria": "secret"}

CHOICES = {
    "gigachat_keys": {
        SERVERS_KEY: [],
        **{key: [] for key in KEYS[:-1]},
        KEYS[-1]: ["GIGACHAT_API_CORP"],
    },
    "gigachat_tokens": [SERVERS_TOKEN, *TOKENS],
    "gigachat_users": USERS,
}
"""What the simulator accepts."""


def settings(simulator, *, credentials=(SERVERS_KEY,), more="", rest=""):
    written = ", ".join(f'"{one}"' for one in credentials)
    return f"""{QUIET.replace("[providers.gigachat.limits]", "").replace("in_flight = 0", "")}
[providers.gigachat]
kind = "gigachat"
base_url = "{simulator.url}/gigachat/api/v1"
auth_url = "{simulator.url}/gigachat/oauth"
credentials = [{written}]
callers_credentials = true
{more}
{rest}"""


@contextlib.contextmanager
def served(simulator, folder, toml):
    """A gateway that has asked for its models; the simulator has forgotten that it did."""
    with running_gateway(toml, folder, learn=False) as gateway:
        gateway.wait_until_discovered()
        simulator.control(reset=True)
        yield gateway
        gateway.ended_well()
        assert all(guests.busy == 0 for guests in gateway.house.guests.values())


def ask(gateway, credential=None, *, header="authorization", model=MODEL, text="Hello", **members):
    """One chat request with ``credential`` where the key stands."""
    headers = {"content-type": "application/json"}
    if credential is not None:
        headers[header] = f"Bearer {credential}" if header == "authorization" else credential
    return send(gateway, chat_body(model, text, **members), path=CHAT, headers=headers)


def models(gateway, credential):
    headers = {"authorization": f"Bearer {credential}"} if credential else {}
    return send(gateway, b"", path="/v1/models", method="GET", headers=headers)


def askers(simulator):
    """Key -> model or path -> how often, of calls that the API let in."""
    return simulator.view()["asked_by"]


def shown(simulator):
    """Every ``Authorization`` header of the last requests."""
    return [
        value
        for request in simulator.view()["last_requests"]
        for name, value in request["headers"]
        if name == "authorization"
    ]
