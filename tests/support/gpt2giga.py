"""``dragoman gpt2giga`` in a process of its own, in a folder with an ``.env``."""

import contextlib
import re
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace

COMMAND = [sys.executable, "-m", "dragoman", "gpt2giga"]


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def env_file(simulator, *, key, **more):
    """An ``.env`` as the README of gpt2giga has it, for the simulated GigaChat."""
    lines = {
        "GIGACHAT_CREDENTIALS": key,
        "GIGACHAT_SCOPE": "GIGACHAT_API_PERS",
        "GIGACHAT_BASE_URL": f"{simulator.url}/gigachat/api/v1",
        "GIGACHAT_AUTH_URL": f"{simulator.url}/gigachat/oauth",
        **more,
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


@contextlib.contextmanager
def running_gpt2giga(folder, *arguments):
    """Gives the address, and everything that is printed until it ends (``printed``)."""
    command = [*COMMAND, *arguments]
    with subprocess.Popen(
        command, cwd=folder, env={}, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        running = SimpleNamespace(url="", printed="", process=process)
        listens = threading.Event()

        def read():
            for line in process.stderr:
                running.printed += line
                found = re.search(r'"address":\s*"(https?://[^"]+)"', line)
                if found:
                    running.url = found[1]
                    listens.set()
            listens.set()

        reader = threading.Thread(target=read)
        reader.start()
        try:
            assert listens.wait(30)
            assert running.url, running.printed
            yield running
        finally:
            process.terminate()
            process.wait(20)
            reader.join(10)
