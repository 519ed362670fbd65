"""One simulator server for a whole test session, in a thread with a loop of its own."""

import asyncio
import http.client
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import msgspec

from dragoman.simulators.options import (
    GIGACHAT_ACCESS_TOKEN,
    GIGACHAT_KEYS,
    OPENAI_KEYS,
    SimulatorOptions,
)
from dragoman.simulators.server import SimulatorServer


class Reply:
    """A whole HTTP answer."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def events(self):
        """The data of every server-sent event, decoded but for ``[DONE]``."""
        found = [line[6:] for line in self.body.decode().split("\n\n") if line.startswith("data: ")]
        return [data if data == "[DONE]" else json.loads(data) for data in found]


class RunningSimulator:
    """A simulator on a free port, with calls to steer it and to talk to it."""

    def __init__(self, server):
        self.server = server
        self.url = server.url
        self.address = (urlsplit(server.url).hostname, urlsplit(server.url).port)

    def post(self, path, body, headers=None):
        """A POST with JSON (or bytes as they are); the whole answer."""
        return self._send("POST", path, body, headers)

    def get(self, path, headers=None):
        return self._send("GET", path, b"", headers)

    def openai(self, body, key=OPENAI_KEYS[0]):
        """A chat completion from the OpenAI simulator."""
        headers = {"authorization": f"Bearer {key}"}
        return self.post("/openai/v1/chat/completions", body, headers)

    def gigachat(self, body, token=GIGACHAT_ACCESS_TOKEN, api="v1"):
        """A chat completion from the GigaChat simulator."""
        headers = {"authorization": f"Bearer {token}"}
        return self.post(f"/gigachat/api/{api}/chat/completions", body, headers)

    def gigachat_token(self, key=GIGACHAT_KEYS[0]):
        """A fresh access token for an authorization key."""
        headers = {
            "authorization": f"Basic {key}",
            "rquid": "6f0b1291-c7f3-43c6-bb2e-9f3efb2dc98e",
            "content-type": "application/x-www-form-urlencoded",
        }
        reply = self.post("/gigachat/oauth", b"scope=GIGACHAT_API_PERS", headers)
        return reply.json.get("access_token") or reply.json["tok"]

    def control(self, **order):
        """Give an order (``options``, ``faults``, ...); returns the view."""
        reply = self.post("/_control", order)
        assert reply.status == 200, reply.body
        return reply.json

    def view(self):
        """What the journal holds now."""
        return self.get("/_control").json

    def reset(self):
        """As freshly started: default options, no faults, no counters, no tokens."""
        self.control(reset=True, options=msgspec.to_builtins(SimulatorOptions()))

    def _send(self, method, path, body, headers):
        data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        if self.url.startswith("https"):
            trusting = ssl._create_unverified_context()
            connection = http.client.HTTPSConnection(*self.address, timeout=30, context=trusting)
        else:
            connection = http.client.HTTPConnection(*self.address, timeout=30)
        try:
            connection.request(method, path, data, headers or {})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, names, response.read())
        finally:
            connection.close()


@contextmanager
def running_simulator(options=None, tls=None) -> Iterator[RunningSimulator]:
    """Start one on a free port of the loopback; stop it at the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulator", daemon=True)
    thread.start()
    try:
        server = SimulatorServer(options, tls=tls)
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        try:
            yield RunningSimulator(server)
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
