"""The header that ties requests to their conversation."""

import json

import pytest

from dragoman.dialects import gigachat, openai_chat
from dragoman.dialects.base import AnswerFacts, ModelFacts
from dragoman.dialects.gigachat.preferences import Preferences
from dragoman.sides import Question
from dragoman.upstream import Upstream

HEAD = b"POST / HTTP/1.1\r\nhost: x\r\n"


class Provider:
    """As much of one as ``prepare`` looks at."""

    name = kind = "fake"

    def __init__(self, dialect, head=HEAD):
        self._dialect = dialect
        self._head = head

    def dialect(self, model, api=None):
        return self._dialect

    def facts(self, model):
        return ModelFacts()

    def head(self, model, api=None, *, stream):
        return self._head


def head_of(provider, caller="alice", **asked):
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    request = openai_chat.CLIENT.read_request(json.dumps(body).encode())
    question = Question(openai_chat.CLIENT, request, AnswerFacts("id", 7, "m"), caller, **asked)
    return Upstream(provider, pool=None, origin=None).prepare("m", question).head


def test_it_follows_the_head():
    head = head_of(Provider(gigachat.UPSTREAM))
    assert head.startswith(HEAD + b"x-session-id: ")
    assert head.endswith(b"\r\n")
    assert head != head_of(Provider(gigachat.UPSTREAM), caller="bob")


def test_it_is_no_compromise():
    told = head_of(Provider(gigachat.UPSTREAM), reject_unsupported=True)
    assert told == head_of(Provider(gigachat.UPSTREAM))


@pytest.mark.parametrize(
    "dialect",
    [openai_chat.UPSTREAM, gigachat.upstream(Preferences(session_ids=False))],
    ids=["passed", "switched off"],
)
def test_it_is_gigachats_alone_and_can_be_switched_off(dialect):
    assert head_of(Provider(dialect)) == HEAD


def test_a_session_that_is_named_already_stays():
    named = HEAD + b"x-session-id: mine\r\n"
    assert head_of(Provider(gigachat.UPSTREAM, named)) == named
