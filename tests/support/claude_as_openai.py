"""Requests of Claude's recordings as a caller of Chat Completions would have sent them.

``as_openai`` gives ``None`` for what that dialect has no words for (the provider's own tools,
citations, betas).
"""

import json

OWN = {"container", "mcp_servers", "context_management", "output_format", "cache_control"}


class Unsayable(Exception):
    """Chat Completions has no words for it."""


def as_openai(body):
    """The Chat Completions request that means the same."""
    try:
        return _request(body)
    except Unsayable:
        return None


def _request(body):
    if OWN & body.keys():
        raise Unsayable
    request = {"model": body["model"], "messages": [], "max_tokens": body["max_tokens"]}
    for block in _blocks(body.get("system", [])):
        request["messages"].append({"role": "system", "content": [_part(block)]})
    for message in body["messages"]:
        request["messages"] += _messages(message)
    _check_results(request["messages"])
    for ours, theirs in (("stop", "stop_sequences"), ("service_tier", "service_tier")):
        if body.get(theirs):
            request[ours] = body[theirs]
    for name in ("temperature", "top_p", "top_k", "stream", "thinking"):
        if name in body:
            request[name] = body[name]
    if "user_id" in body.get("metadata", {}):
        request["user"] = body["metadata"]["user_id"]
    if body.get("tools"):
        request["tools"] = [_tool(tool) for tool in body["tools"]]
    _choice(request, body.get("tool_choice") or {})
    _output(request, body.get("output_config") or {})
    return request


def _check_results(messages):
    calls = {call["id"] for message in messages for call in message.get("tool_calls", ())}
    answered = {message["tool_call_id"] for message in messages if "tool_call_id" in message}
    if answered - calls:
        raise Unsayable


def _output(request, config):
    if "effort" in config and "thinking" in request:
        request["reasoning_effort"] = config["effort"]
        del request["thinking"]
    elif "effort" in config:
        raise Unsayable
    if "format" in config:
        spec = {"name": "answer", "schema": config["format"]["schema"]}
        request["response_format"] = {"type": "json_schema", "json_schema": spec}


def _choice(request, choice):
    kinds = {"auto": "auto", "any": "required", "none": "none"}
    if choice.get("type") == "tool":
        request["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    elif choice:
        request["tool_choice"] = kinds[choice["type"]]
    if choice.get("disable_parallel_tool_use"):
        request["parallel_tool_calls"] = False


def _tool(tool):
    known = {"name", "description", "input_schema", "type", "strict", "cache_control"}
    if set(tool) - known or tool.get("type") not in {None, "custom"}:
        raise Unsayable
    function = {"name": tool["name"], "parameters": tool["input_schema"]}
    for name in ("description", "strict"):
        if tool.get(name):
            function[name] = tool[name]
    return {"type": "function", "function": function, **_mark(tool)}


def _mark(block):
    return {"cache_control": block["cache_control"]} if block.get("cache_control") else {}


def _blocks(content):
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _part(block):
    if block["type"] == "text" and not block.get("citations"):
        return {"type": "text", "text": block["text"], **_mark(block)}
    source = block.get("source", {})
    if block["type"] == "image" and source.get("type") == "url":
        return {"type": "image_url", "image_url": {"url": source["url"]}, **_mark(block)}
    if source.get("type") == "base64" and not block.keys() & {"citations", "context"}:
        url = f"data:{source['media_type']};base64,{source['data']}"
        if block["type"] == "image":
            return {"type": "image_url", "image_url": {"url": url}, **_mark(block)}
        name = {"filename": block["title"]} if block.get("title") else {}
        return {"type": "file", "file": {"file_data": url, **name}, **_mark(block)}
    raise Unsayable


def _messages(message):
    blocks = _blocks(message["content"])
    if message["role"] == "system":
        return [{"role": "system", "content": [_part(block) for block in blocks]}]
    if message["role"] == "user":
        results = [block for block in blocks if block["type"] == "tool_result"]
        if any(block.get("is_error") for block in results):
            raise Unsayable
        rest = [_part(block) for block in blocks if block["type"] != "tool_result"]
        found = [_result(block) for block in results]
        return [*found, {"role": "user", "content": rest}] if rest else found
    return [_assistant(blocks)]


def _result(block):
    content = block.get("content") or ""
    if not isinstance(content, str):
        content = [_part(inner) for inner in content]
    return {
        "role": "tool",
        "tool_call_id": block["tool_use_id"],
        "content": content,
        **_mark(block),
    }


def _assistant(blocks):
    message = {"role": "assistant", "content": []}
    kinds = [block["type"] for block in blocks]
    order = {"thinking": 0, "redacted_thinking": 0, "text": 1, "tool_use": 2}
    if set(kinds) - order.keys() or kinds != sorted(kinds, key=order.get):
        raise Unsayable
    for block in blocks:
        match block["type"]:
            case "text":
                message["content"].append(_part(block))
            case "tool_use":
                call = {"name": block["name"], "arguments": json.dumps(block["input"])}
                call = {"id": block["id"], "type": "function", "function": call, **_mark(block)}
                message.setdefault("tool_calls", []).append(call)
            case _:
                message.setdefault("thinking_blocks", []).append(block)
    return message
