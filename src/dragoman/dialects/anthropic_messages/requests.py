"""A canonical request to the body of ``POST /v1/messages``.

``reasoning`` decides how much is thought, because other members depend on it; ``fates`` says what
becomes of each member, ``messages`` writes the conversation, ``marks`` sees to its cache marks.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from dragoman.canonical.conversation import CallKind
from dragoman.canonical.fidelity import Fidelity
from dragoman.canonical.request import ChatRequest
from dragoman.dialects.anthropic_messages.draft import Draft, ToolNames
from dragoman.dialects.anthropic_messages.fates import TABLE
from dragoman.dialects.anthropic_messages.marks import limit_marks
from dragoman.dialects.anthropic_messages.messages import write_messages
from dragoman.dialects.anthropic_messages.reasoning import plan_thinking, withdraw_budget
from dragoman.dialects.base import ModelFacts, WrittenRequest

_encode: Final = msgspec.json.Encoder().encode


def write_request(request: ChatRequest, facts: ModelFacts) -> WrittenRequest:
    """Raises ``UnsupportedByTarget`` and, for what nobody can take, ``InvalidRequest``."""
    tools = request.tools
    body: dict[str, Any] = {"model": request.model}
    names = ToolNames({tool.name for tool in tools} if tools else ())
    draft = Draft(request, facts, body, Fidelity(), names)
    plan_thinking(draft)
    TABLE.apply(draft)
    write_messages(draft)
    withdraw_budget(draft)
    limit_marks(body, draft.fidelity)
    customs = [tool.name for tool in tools if tool.kind is CallKind.CUSTOM] if tools else ()
    return WrittenRequest(
        body=[_encode(body)],
        fidelity=draft.fidelity,
        tool_names=names.renamed,
        custom_tools=frozenset(customs),
        json_tool=draft.json_tool,
        wants_thoughts=draft.keeps_thoughts and bool(tools),
    )
