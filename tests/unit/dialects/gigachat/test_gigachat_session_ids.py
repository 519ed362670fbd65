"""One id for all turns of a conversation, another for every other."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.canonical.conversation import Media, MediaKind, Message, Role, Text
from dragoman.canonical.request import ChatRequest, Tool
from dragoman.dialects import gigachat
from dragoman.dialects.gigachat.preferences import Preferences
from dragoman.dialects.gigachat.session_ids import PREFIX, session_id, session_line
from support.gigachat_requests import request, said, user

OPENING = (said(Role.SYSTEM, "Be brief."), user("Hi"))


def of(*messages, caller="alice", **members):
    return session_id(request(*messages, **members), caller)


def test_it_stays_while_the_conversation_grows():
    first = of(*OPENING)
    assert of(*OPENING, said(Role.ASSISTANT, "Hello"), user("And now?")) == first
    tools = (Tool("f", None, None),)
    assert of(*OPENING, tools=tools, temperature=0.5, stream=True) == first


PICTURE = Media(kind=MediaKind.IMAGE, media_type="image/png", data="AAAA")
OTHERS = {
    "other instructions": of(said(Role.SYSTEM, "Be long."), user("Hi")),
    "no instructions": of(user("Hi")),
    "other words": of(OPENING[0], user("Ho")),
    "another caller": of(*OPENING, caller="bob"),
    "words that run together": of(said(Role.SYSTEM, "Be brief.Hi"), user("")),
    "a picture": of(OPENING[0], Message(Role.USER, (Text("Hi"), PICTURE))),
    "another model": session_id(
        ChatRequest(model="GigaChat-2-Max", messages=OPENING, stream=False), "alice"
    ),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_it_tells_conversations_apart(other):
    assert other != of(*OPENING)


def test_only_so_much_of_a_text_counts():
    assert of(user("a" * PREFIX + "b")) == of(user("a" * PREFIX + "c"))
    assert of(user("a" * (PREFIX - 1) + "b")) != of(user("a" * (PREFIX - 1) + "c"))


@given(st.lists(st.text(max_size=5), min_size=1, max_size=3), st.text(max_size=5))
def test_it_is_always_a_uuid_and_fit_for_a_header(texts, caller):
    line = session_line(request(*map(user, texts)), caller)
    pattern = rb"x-session-id: [0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}\r\n"
    assert re.fullmatch(pattern, line)


def test_the_operator_can_do_without():
    assert gigachat.UPSTREAM.session_line is session_line
    assert gigachat.upstream(Preferences(session_ids=False)).session_line is None
