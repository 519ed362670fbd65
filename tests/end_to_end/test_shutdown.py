"""The whole command under SIGTERM: what runs may finish, what cannot is told so."""

import contextlib
import http.client
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "dragoman", "serve", "--port", "0"]


@contextlib.contextmanager
def serving(simulator, folder, grace):
    """A gateway in a process of its own; gives the process and its port."""
    toml = simulator.server.config_toml() + f"\n[server]\nshutdown_grace = {grace}\n"
    toml += '[log]\nformat = "json"\n'
    Path(folder, "dragoman.toml").write_text(toml)
    with subprocess.Popen(
        COMMAND, cwd=folder, env={}, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            for line in process.stderr:
                found = re.search(r'"address":\s*"http://127\.0\.0\.1:(\d+)"', line)
                if found:
                    break
            yield process, int(found[1])
        finally:
            process.kill()


@contextlib.contextmanager
def ask(port, text, **more):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    messages = [{"role": "user", "content": text}]
    body = json.dumps({"model": "openai/gpt-4o", "messages": messages, **more})
    for _ in range(200):
        try:
            connection.request("POST", "/v1/chat/completions", body)
            break
        except ConnectionRefusedError:
            time.sleep(0.02)
    with contextlib.closing(connection), connection.getresponse() as response:
        yield response


def test_a_stream_under_way_finishes_and_the_command_ends_well(simulator, tmp_path):
    with serving(simulator, tmp_path, grace=20) as (process, port):
        with ask(port, "Go on [[chunks:30]] [[pace:20ms]]", stream=True) as response:
            first = response.read1()
            process.send_signal(signal.SIGTERM)
            rest = response.read()
        assert (first + rest).endswith(b"data: [DONE]\n\n")
        assert process.wait(10) == 0


def test_what_takes_longer_than_the_grace_is_told_so(simulator, tmp_path):
    with serving(simulator, tmp_path, grace=1) as (process, port):
        with ask(port, "Go on [[chunks:500]] [[pace:50ms]]", stream=True) as response:
            first = response.read1()
            process.send_signal(signal.SIGTERM)
            events = (first + response.read()).strip().split(b"\n\n")
        error = json.loads(events[-1].removeprefix(b"data: "))["error"]
        assert "restarting" in error["message"]
        assert process.wait(10) == 0


def test_an_idle_gateway_ends_at_once_also_with_idle_clients(simulator, tmp_path):
    with serving(simulator, tmp_path, grace=20) as (process, port), ask(port, "Hi") as response:
        assert response.status == 200
        response.read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_not_a_failure(simulator, tmp_path, number):
    with serving(simulator, tmp_path, grace=1) as (process, port):
        with ask(port, "Hi") as response:
            assert response.status == 200
        process.send_signal(number)
        assert process.wait(10) == 0
