"""What clients ask and upstreams answer in the world of exchanges."""

from __future__ import annotations

import json


def sse(*documents: object) -> bytes:
    return b"".join(
        b"data: " + (doc.encode() if isinstance(doc, str) else json.dumps(doc).encode()) + b"\n\n"
        for doc in documents
    )


def chunk(delta: dict, finish: str | None = None, **more: object) -> dict:
    choice: dict = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "up", "object": "chat.completion.chunk", "created": 1, "model": "m"} | {
        "choices": [choice],
        **more,
    }


USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}

STREAMS: dict[str, list[bytes]] = {
    "openai_chat": [
        sse(
            chunk({"role": "assistant", "content": ""}),
            chunk({"content": "Hel"}),
            chunk({"content": "ло, 🌍"}),
            chunk({}, "stop"),
            {"id": "up", "choices": [], "usage": USAGE},
            "[DONE]",
        ),
        sse(
            chunk(
                {
                    "tool_calls": [
                        {
                            "index": 0,
                            "id": "c1",
                            "type": "function",
                            "function": {"name": "f", "arguments": ""},
                        }
                    ]
                }
            ),
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a": 1}'}}]}),
            chunk({}, "tool_calls"),
            "[DONE]",
        ),
        sse({"error": {"message": "overloaded", "type": "server_error"}}),
        sse(chunk({"content": "a"}), {"error": {"message": "overloaded", "type": "server_error"}}),
        b"data: {not json}\n\n" + sse(chunk({"content": "a"})),
        b"",
    ],
    "gigachat": [
        sse(
            {"choices": [{"delta": {"content": "раз", "role": "assistant"}, "index": 0}]},
            {"choices": [{"delta": {"content": ", два"}, "index": 0}]},
            {
                "choices": [{"delta": {"content": ""}, "index": 0, "finish_reason": "stop"}],
                "usage": USAGE,
            },
            "[DONE]",
        ),
        sse(
            {
                "choices": [
                    {
                        "delta": {
                            "role": "assistant",
                            "content": "",
                            "function_call": {"name": "f", "arguments": {"a": 1}},
                        },
                        "index": 0,
                        "finish_reason": "function_call",
                    }
                ],
                "usage": USAGE,
            },
            "[DONE]",
        ),
        b"data: {broken\n\n",
        b"",
    ],
}

WHOLES: dict[str, list[bytes]] = {
    "openai_chat": [
        json.dumps(
            {
                "id": "up",
                "object": "chat.completion",
                "created": 1,
                "model": "m",
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {"role": "assistant", "content": "Hi"},
                    }
                ],
                "usage": USAGE,
            }
        ).encode(),
        b"<html>busy</html>",
        b'{"error": {"message": "no"}}',
        b"",
    ],
    "gigachat": [
        json.dumps(
            {
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {"role": "assistant", "content": "Привет"},
                    }
                ],
                "created": 1,
                "model": "m",
                "object": "chat.completion",
                "usage": USAGE,
            }
        ).encode(),
        b"<html>busy</html>",
        b"{}",
    ],
}

REFUSALS = [
    (400, {}, b'{"error": {"message": "bad", "type": "invalid_request_error"}}'),
    (401, {}, b'{"status": 401, "message": "Token has expired"}'),
    (402, {}, b'{"status": 402, "message": "Payment Required"}'),
    (429, {"retry-after": "1"}, b'{"status": 429, "message": "Too Many Requests"}'),
    (429, {"retry-after": "300"}, b""),
    (500, {}, b"<html></html>"),
    (503, {}, b""),
]

REQUESTS = [
    {"messages": [{"role": "user", "content": "hi"}]},
    {"messages": [{"role": "user", "content": "hi"}], "stream": True},
    {
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    },
    {"messages": [{"role": "user", "content": "hi"}], "stream": True, "stop": ["л", "два"]},
    {"messages": [{"role": "user", "content": "hi"}], "n": 2},
]
