"""An upstream over a real socket that plays, for each model name, what a test has laid down.

It is GigaChat and OpenAI at once: whatever the path of a chat request, the ``model`` of its body
chooses the play. A play is a coroutine function of the ``Peer`` to whom it writes raw bytes::

    with replay_upstream() as upstream:
        upstream.plays["cut"] = whole_answer(200, {"content-type": "text/html"}, b"<html>")

``toml()`` is the settings file of a gateway in front: the providers ``gigachat``,
``gigachat2`` (chat v2) and ``openai``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys

from support.loop_thread import loop_thread
from support.scripted_upstream import Peer
from support.splits import at_random, whole

ISSUED_TOKEN = "replayed-token-0f1e2d3c4b5a6978"
FAR_FUTURE = 4_000_000_000_000
FRAMING = {"content-length", "transfer-encoding", "content-encoding", "connection"}


class ReplayUpstream:
    def __init__(self):
        self.plays = {}
        self.asked = []
        """The model of every chat request, in order."""
        self.keys = []
        """The ``authorization`` of every chat request, in order."""
        self.departures = 0
        """Connections that the gateway has closed while a play was writing or waiting."""
        self._tasks = set()

    async def start(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self):
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def toml(self, *, keys=("sk-replayed",), more=""):
        """Settings of a gateway in front; ``more`` goes into both providers."""
        return f"""
[log]
level = "error"
requests = "none"
[providers.gigachat]
kind = "gigachat"
base_url = "{self.url}/api/v1"
auth_url = "{self.url}/oauth"
credentials = ["cmVwbGF5ZWQ6c2VjcmV0"]
limits = {{ in_flight = 0 }}
models = ["GigaChat"]
{more}
[providers.gigachat2]
kind = "gigachat"
api = "v2"
base_url = "{self.url}/api/v1"
auth_url = "{self.url}/oauth"
credentials = ["cmVwbGF5ZWQ6c2VjcmV0"]
limits = {{ in_flight = 0 }}
models = ["GigaChat-v2"]
{more}
[providers.openai]
kind = "openai_compatible"
base_url = "{self.url}/v1"
credentials = {json.dumps(list(keys))}
models = ["gpt-4o"]
{more}
"""

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        peer = Peer(reader, writer, [])
        try:
            while not writer.is_closing():
                await self._answer(peer, await peer.request())
        except (EOFError, ConnectionError, asyncio.IncompleteReadError):
            self.departures += 1
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, peer, request):
        method, path, _ = request.head.split(b" ", 2)
        if path.endswith(b"/oauth"):
            token = {"access_token": ISSUED_TOKEN, "expires_at": FAR_FUTURE}
            await peer.write(answer_of(token))
        elif method == b"GET":
            await peer.write(answer_of({"object": "list", "data": []}))
        else:
            model = json.loads(request.body)["model"]
            self.asked.append(model)
            self.keys.append(_header(request.head, b"authorization").decode())
            await self.plays[model](peer)


def _header(head, name):
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return b""


def answer_of(value, status=200, **headers):
    """A whole JSON answer as bytes."""
    names = {"content-type": "application/json"}
    names |= {name.replace("_", "-"): value for name, value in headers.items()}
    body = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    return head_of(status, names, f"content-length: {len(body)}") + body


def head_of(status, headers, framing):
    lines = [f"HTTP/1.1 {status} Played", framing]
    lines += [f"{name}: {value}" for name, value in headers.items() if name not in FRAMING]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(block):
    return b"%x\r\n%b\r\n" % (len(block), block)


STREAM_HEAD = head_of(200, {"content-type": "text/event-stream"}, "transfer-encoding: chunked")


def whole_answer(status, headers, body):
    """A play: the answer in one piece, its length declared."""

    async def play(peer):
        await peer.write(head_of(status, headers, f"content-length: {len(body)}") + body)

    return play


def streamed_answer(status, headers, body, seed=None):
    """A play: the answer in chunks, whole or cut at random, each a write of its own."""
    blocks = whole(body) if seed is None else at_random(body, seed)

    async def play(peer):
        await peer.write(head_of(status, headers, "transfer-encoding: chunked"))
        for block in blocks:
            await peer.write(chunk(block))
            await asyncio.sleep(0)
        await peer.write(b"0\r\n\r\n")

    return play


def byte_by_byte(play, first=None):
    """``play`` with each byte of what it writes, head and framing too, in a packet of its own;
    with ``first`` only so many bytes, and what follows as the play cuts it.

    In a loop that the gateway shares (``replay_upstream``) each is also a read of its own there.
    """

    async def slow(peer):
        await play(_Dribbling(peer, sys.maxsize if first is None else first))

    return slow


class _Dribbling:
    def __init__(self, peer, left):
        self._peer = peer
        self._left = left

    async def write(self, data):
        slowly, rest = data[: self._left], data[self._left :]
        self._left -= len(slowly)
        await self._peer.dribble(slowly)
        if rest:
            await self._peer.write(rest)


@contextlib.contextmanager
def replay_upstream(thread=None):
    """Runs in a loop of its own, or in that of ``thread``: then whatever a play writes before it
    gives way is what the gateway on the same loop reads next.
    """
    with (
        loop_thread("replay upstream") if thread is None else contextlib.nullcontext(thread)
    ) as own:
        upstream = ReplayUpstream()
        own.run(upstream.start())
        try:
            yield upstream
        finally:
            own.run(upstream.stop())
