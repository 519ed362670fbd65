"""Requests leave nothing to the garbage collector: cycles would mean pauses under load."""

import gc

import openai
import pytest

REQUESTS = 60


def ask(client, model, *, stream):
    messages = [{"role": "user", "content": "Hello"}]
    answer = client.chat.completions.create(model=model, messages=messages, stream=stream)
    if stream:
        list(answer)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["openai/gpt-4o", "gigachat/GigaChat-2"])
def test_what_a_request_made_is_freed_without_the_collector(gateway, model, stream):
    with openai.OpenAI(base_url=gateway.base_url, api_key="any", max_retries=0) as client:
        ask(client, model, stream=stream)
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for _ in range(REQUESTS):
                ask(client, model, stream=stream)
            gc.collect()
            left = [type(thing).__module__ for thing in gc.garbage]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    ours = [name for name in left if name.startswith("dragoman.") and "simulators" not in name]
    assert len(ours) < REQUESTS, sorted(set(ours))
