"""Requests and streams of this dialect and what becomes of them, written down as files.

``DRAGOMAN_GOLDEN_UPDATE=1`` rewrites the expectations; read the difference like code.
"""

import json
import os
from pathlib import Path

import pytest
from msgspec import structs

from dragoman.dialects.base import ModelFacts
from dragoman.dialects.openai_chat import CLIENT, UPSTREAM
from support.openai_chat_streams import read_stream, streamed_request, write_stream
from support.recordings import samples

FOLDER = Path(__file__).parent / "openai_chat"
UPDATE = os.environ.get("DRAGOMAN_GOLDEN_UPDATE") == "1"  # noqa: TID251 - a switch for people
REQUESTS = sorted(path.name for path in (FOLDER / "requests").iterdir())
STREAMS = samples("openai_chat", ".sse")


def compare(path, data):
    if UPDATE:
        path.write_bytes(data)
    assert data == path.read_bytes()


def pretty(value):
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


@pytest.mark.parametrize("case", REQUESTS)
def test_a_request_is_translated_as_written_down(case):
    folder = FOLDER / "requests" / case
    request = CLIENT.read_request((folder / "client.request.json").read_bytes())
    written = UPSTREAM.write_request(request.conversation(), ModelFacts())
    compare(folder / "upstream.request.json", pretty(json.loads(b"".join(written.body))))
    compare(folder / "fidelity.json", pretty(structs.asdict(written.fidelity)))


@pytest.mark.parametrize(("name", "data"), STREAMS, ids=[name for name, _ in STREAMS])
def test_a_stream_reaches_the_caller_as_written_down(name, data):
    compare(FOLDER / "streams" / name, write_stream(read_stream([data]), streamed_request()))
