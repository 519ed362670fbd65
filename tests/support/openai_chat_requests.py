"""Chat Completions requests for tests, read into canonical form."""

import json

from msgspec import Raw

from dragoman.dialects.openai_chat import CLIENT

USER = {"role": "user", "content": "hi"}


def conversation(**members):
    body = {"model": "m", "messages": [USER], **members}
    return CLIENT.read_request(json.dumps(body).encode()).conversation()


def message(**members):
    return conversation(messages=[members]).messages[0]


def parts(*content):
    return message(role="user", content=list(content)).parts


def own(**members):
    return {"openai_chat": {name: Raw(json.dumps(v).encode()) for name, v in members.items()}}
