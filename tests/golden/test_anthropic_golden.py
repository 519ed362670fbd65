"""Chat Completions requests and what Claude gets of them, side by side in one folder a case.

``DRAGOMAN_GOLDEN_UPDATE=1`` rewrites the expectations; read the difference like code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from dragoman.dialects import anthropic_messages, openai_chat
from dragoman.errors import InvalidRequest
from dragoman.providers.catalogue import facts
from dragoman.simulators.anthropic_rules import check_request
from support.golden import compare

FOLDER = Path(__file__).parent / "anthropic"
CASES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


def translated(body: bytes) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The request for Claude, if there is one, and the record of what was done to it."""
    request = openai_chat.CLIENT.read_request(body).conversation()
    try:
        written = anthropic_messages.UPSTREAM.write_request(
            request, facts("anthropic", request.model)
        )
    except InvalidRequest as error:
        return None, {"refused": error.message, "param": error.param}
    record = structs.asdict(written.fidelity) | {
        "grade": written.fidelity.grade.value,
        "renamed": dict(written.tool_names),
    }
    return json.loads(b"".join(written.body)), record


@pytest.mark.parametrize("case", CASES)
def test_a_request_is_translated_as_written_down(case):
    body, record = translated((FOLDER / case / "openai_chat.request.json").read_bytes())
    compare(FOLDER / case / "anthropic_messages.request.json", body)
    compare(FOLDER / case / "fidelity.json", record)


@pytest.mark.parametrize("case", CASES)
def test_claude_takes_what_it_gets(case):
    """The judge is the simulator, which shares no code with the dialect."""
    body, record = translated((FOLDER / case / "openai_chat.request.json").read_bytes())
    if body is None:
        assert record["refused"]
    else:
        check_request(body, frozenset())
