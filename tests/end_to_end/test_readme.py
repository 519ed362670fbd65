"""What the README promises on its first screen, done as it says there."""

import contextlib
import io
import json
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8090"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """``dragoman demo`` in a process of its own; gives its address."""
    command = [sys.executable, "-m", "dragoman", "demo", "--port", "0"]
    log = tmp_path_factory.mktemp("demo") / "log"
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            lines = iter(process.stdout.readline, "")
            ready = (re.search(r"ready at (http://\S+?),", line) for line in lines)
            found = next(filter(None, ready), None)
            assert found, log.read_text()
            wait_for_model(found[1], "GigaChat-2-Max")
            yield found[1]
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
        finally:
            process.kill()  # leaving the block waits for its end


def wait_for_model(address, model):
    """A reader of the README is slower than the gateway's first look at what providers serve."""
    for _ in range(200):
        with urllib.request.urlopen(f"{address}/v1/models", timeout=30) as response:
            if any(one["id"] == model for one in json.load(response)["data"]):
                return
        time.sleep(0.05)
    pytest.fail(f"{model} is not served")


def test_the_curl_line_gets_the_answer_that_is_shown(demo):
    (line,) = [text for text in blocks("sh") if text.startswith("curl")]
    words = shlex.split(line.replace("\\\n", " "))
    body = words[words.index("-d") + 1].encode()
    url = next(word for word in words if word.startswith("http")).replace(ADDRESS, demo)
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = json.load(response)
    (shown,) = [json.loads(text) for text in blocks("json")]
    for changing in ("id", "created"):
        assert type(answer.pop(changing)) is type(shown.pop(changing))
    assert answer == shown


def test_the_python_lines_print_an_answer(demo):
    (script,) = blocks("python")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(script.replace(ADDRESS, demo) + "\nclient.close()\n", {})
    assert "What is a dragoman?" in printed.getvalue()
