"""Chat Completions requests and what GigaChat's chat v2 gets of them, in one folder a case.

A case without a request of its own takes the one of version 1's case of the same name, so that
both versions can be held side by side. ``DRAGOMAN_GOLDEN_UPDATE=1`` rewrites the expectations; read
the difference like code.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from dragoman.dialects import openai_chat
from dragoman.dialects.gigachat import v2
from dragoman.errors import InvalidRequest
from dragoman.providers.catalogue import facts
from dragoman.simulators.gigachat_v2_rules import check_chat_v2
from dragoman.simulators.options import SimulatorOptions
from support.golden import compare

FOLDER = Path(__file__).parent / "gigachat_v2"
OLDER = Path(__file__).parent / "gigachat"
REQUEST = "openai_chat.request.json"
CASES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


def request_of(case: str) -> bytes:
    own = FOLDER / case / REQUEST
    return (own if own.exists() else OLDER / case / REQUEST).read_bytes()


def translated(body: bytes) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The request for GigaChat, if there is one, and the record of what was done to it."""
    request = openai_chat.CLIENT.read_request(body).conversation()
    try:
        written = v2.UPSTREAM.write_request(request, facts("gigachat", request.model))
    except InvalidRequest as error:
        return None, {"refused": error.message, "param": error.param}
    record = structs.asdict(written.fidelity) | {
        "grade": written.fidelity.grade.value,
        "renamed": dict(written.tool_names),
    }
    return json.loads(b"".join(written.body)), record


@pytest.mark.parametrize("case", CASES)
def test_a_request_is_translated_as_written_down(case):
    body, record = translated(request_of(case))
    compare(FOLDER / case / "gigachat_v2.request.json", body)
    compare(FOLDER / case / "fidelity.json", record)


@pytest.mark.parametrize("case", CASES)
def test_gigachat_takes_what_it_gets(case):
    """The judge is the simulator, which shares no code with the dialect."""
    body, record = translated(request_of(case))
    if body is None:
        assert record["refused"]
    else:
        check_chat_v2(body, SimulatorOptions(), Counter())
