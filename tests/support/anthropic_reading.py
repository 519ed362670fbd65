"""What the ``anthropic`` SDK reads of recorded bytes, and what a caller of ours should."""

import anthropic
import httpx2

from support.recordings import answer_bytes
from support.sdk_reading import Reading, Said

FINISH = {
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "stop",
    "refusal": "content_filter",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
}
ERRORS = {
    # A credential that the upstream refuses is the operator's affair, not the caller's.
    401: ("InternalServerError", 502),
    403: ("InternalServerError", 502),
    400: ("BadRequestError", 400),
    404: ("NotFoundError", 404),
}
ASKED = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}


def judge(exchange):
    """The vendor's SDK, answered with the recorded bytes."""
    answer = exchange["response"]
    headers = {"content-type": answer["headers"].get("content-type", "application/json")}
    transport = httpx2.MockTransport(
        lambda _request: httpx2.Response(
            answer["status"], headers=headers, content=answer_bytes(exchange)
        )
    )
    return anthropic.Anthropic(
        api_key="x", max_retries=0, http_client=httpx2.Client(transport=transport)
    )


def read_whole(exchange):
    """A whole answer as the SDK's message, plain; raises the SDK's error."""
    message = judge(exchange).messages.create(**ASKED)
    return message.to_dict(mode="json", warnings=False)


def read_stream(exchange):
    """A stream as the SDK's final message, plain; raises the SDK's error."""
    with judge(exchange).messages.stream(**ASKED) as stream:
        return stream.get_final_message().to_dict(mode="json", warnings=False)


def for_callers(read, exchange):
    """What ``read`` gives, as a caller of Chat Completions is to see it."""
    try:
        message = read(exchange)
    except anthropic.APIStatusError as error:
        return Reading(error=ERRORS[error.status_code])
    blocks = message["content"]
    calls = [(b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"]
    usage = message["usage"]
    cached = usage.get("cache_read_input_tokens") or 0
    counted = usage["input_tokens"] + cached + (usage.get("cache_creation_input_tokens") or 0)
    said = Said(
        text="".join(block.get("text", "") for block in blocks if block["type"] == "text"),
        reasoning="".join(block.get("thinking", "") for block in blocks),
        calls=calls,
        reason=FINISH[message["stop_reason"]],
    )
    counts = {"in": counted, "out": usage["output_tokens"], "cached": cached}
    counts["total"] = counted + usage["output_tokens"]
    return Reading(choices={0: said}, usage=counts)
