"""Many raw clients at once, on the test's own event loop."""

import asyncio
import json

from support.raw_http import CHAT


def request_bytes(body, path=CHAT, *headers):
    data = json.dumps(body, ensure_ascii=False).encode()
    lines = [f"POST {path} HTTP/1.1", "host: gateway", "content-type: application/json"]
    lines += [*headers, f"content-length: {len(data)}", "connection: close", "", ""]
    return "\r\n".join(lines).encode() + data


async def exchange(gateway, data):
    """Send ``data``; status and body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        writer.write(data)
        answer = await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body


async def all_at_once(gateway, data, number):
    """``number`` times the same request, at once; the answers in no order."""
    return await asyncio.gather(*[exchange(gateway, data) for _ in range(number)])
