"""HTTP by hand: what goes out is exactly what a test says, what comes back is what came."""

import http.client
import json
import socket
from contextlib import contextmanager

from support.simulator import Reply

CHAT = "/v1/chat/completions"


def send(gateway, body, *, path=CHAT, method="POST", headers=None):
    """One request and its whole answer. ``body``: bytes as they are, or a JSON value."""
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    try:
        sent = {"content-type": "application/json"} if headers is None else headers
        connection.request(method, path, data, sent)
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, names, response.read())
    finally:
        connection.close()


@contextmanager
def connected(gateway, timeout=60):
    """A plain socket to the gateway."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=timeout) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield sock


def received(sock):
    """All bytes until the gateway closes."""
    parts = []
    while part := sock.recv(65536):
        parts.append(part)
    return b"".join(parts)


def chat_body(model, text="Hello", **members):
    """The JSON of a small chat request."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **members}


def said_error(reply):
    """The error object of an answer, which has all four members of OpenAI's shape."""
    error = reply.json["error"]
    assert set(error) == {"message", "type", "param", "code"}, error
    assert isinstance(error["message"], str)
    assert error["message"]
    assert isinstance(error["type"], str)
    return error
