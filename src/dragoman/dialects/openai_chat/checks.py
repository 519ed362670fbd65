"""What is checked of messages and tools before anything else is done with a request.

Nothing of the conversation's text is read for it, so that a request that only passes through
costs no more than these checks.
"""

from __future__ import annotations

from typing import Final

from msgspec import Raw, Struct
from msgspec.json import Decoder

from dragoman.dialects.nesting import LIMIT, is_excessive
from dragoman.dialects.openai_chat.read_messages import ROLES
from dragoman.dialects.openai_chat.tools import named_body
from dragoman.dialects.openai_chat.wire import (
    NULL,
    TEXT,
    Members,
    given,
    invalid_value,
    missing_member,
    nested_too_deep,
    orphan_result,
    read_as,
    required,
)

_BELOW_MEMBER: Final = LIMIT - 3
"""Levels left inside a member of a message or tool: body, list and object are around it."""

_USER: Final = Raw(b'"user"')
_ASSISTANT: Final = Raw(b'"assistant"')
_SYSTEM: Final = Raw(b'"system"')
_ROLE_TEXTS: Final = {f'"{role}"'.encode(): role for role in ROLES}


class _CallHead(Struct, gc=False):
    id: str | None = None


_CALL_HEADS: Final = Decoder(list[_CallHead])


def check_nesting(objects: list[Members], member: str) -> None:
    """Raises ``InvalidRequest`` for excessive nesting inside the objects that ``member`` lists."""
    for at, members in enumerate(objects):
        for name, raw in members.items():
            if memoryview(raw)[0] in b"[{" and is_excessive(bytes(raw), _BELOW_MEMBER):
                raise nested_too_deep(f"{member}[{at}].{name}")


def check_messages(messages: list[Members]) -> list[str]:
    """The role of each message.

    Raises ``InvalidRequest`` for an unknown role and a tool's result that answers no earlier call;
    one that does not say which it answers may answer any. What else is in the messages is not
    looked at.
    """
    roles: list[str] = []
    calls: set[str | None] = set()
    unread: list[tuple[int, Raw]] = []
    functions = 0
    for at, members in enumerate(messages):
        raw_role = members.get("role", NULL)
        if raw_role == _USER:
            role = "user"
        elif raw_role == _ASSISTANT:
            role = "assistant"
        elif raw_role == _SYSTEM:
            role = "system"
        else:
            role = _ROLE_TEXTS.get(bytes(raw_role)) or _odd_role(raw_role, f"messages[{at}].role")
        roles.append(role)
        if role == "assistant":
            if "tool_calls" in members:
                unread.append((at, members["tool_calls"]))
            functions += given(members, "function_call") is not None
        elif role == "tool":
            _check_answers(members, at, calls, unread)
        elif role == "function":
            functions -= 1
            if functions < 0:
                raise orphan_result(f"messages[{at}].name")
    return roles


def _odd_role(raw: Raw, path: str) -> str:
    """A role that is not spelled as usual: escaped, or wrong."""
    if raw == NULL:
        raise missing_member(path)
    role = read_as(TEXT, raw, path)
    if role not in ROLES:
        raise invalid_value(path, f"supported are {', '.join(sorted(ROLES))}")
    return role


def _check_answers(
    members: Members, at: int, calls: set[str | None], unread: list[tuple[int, Raw]]
) -> None:
    for place, raw in unread:
        if raw != NULL:
            heads = read_as(_CALL_HEADS, raw, f"messages[{place}].tool_calls")
            calls.update(head.id for head in heads)
    unread.clear()
    if given(members, "tool_call_id") is None and calls:
        return
    if required(members, "tool_call_id", TEXT, f"messages[{at}]") not in calls:
        raise orphan_result(f"messages[{at}].tool_call_id")


def check_tools(tools: list[Members], member: str) -> None:
    """Raises ``InvalidRequest`` for two tools of one name.

    ``member`` is ``tools`` or ``functions``.
    """
    names: set[str] = set()
    for at, tool in enumerate(tools):
        path = f"{member}[{at}]"
        named = named_body(tool, path) if member == "tools" else (tool, path)
        if named is None:
            continue
        body, path = named
        name = required(body, "name", TEXT, path)
        if name in names:
            raise invalid_value(f"{path}.name", f"another tool is called '{name}' too")
        names.add(name)
