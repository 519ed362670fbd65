"""The health check: what it asks, whom it believes, and where it looks."""

import contextlib
import http.server
import ssl
import threading

import pytest
import trustme
from typer.testing import CliRunner

from dragoman.cli import app
from dragoman.probe import is_alive


class Answering(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self):
        self.send_response(self.status if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def listening(handler=Answering, context=None):
    """The port of a server that runs."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def place(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("PORT", "BIND_ADDRESS", "GPT2GIGA_PORT", "DRAGOMAN_CONTAINER"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def health(*arguments, **environ):
    return CliRunner().invoke(app, ["health", *arguments], env=environ)


def test_a_gateway_that_answers_is_alive():
    with listening() as port:
        assert is_alive(f"http://127.0.0.1:{port}")


def test_a_gateway_that_answers_anything_but_200_is_not():
    failing = type("Failing", (Answering,), {"status": 503})
    with listening(failing) as port:
        assert not is_alive(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_gateway_with_a_certificate_for_another_name_is_alive_by_either_scheme(scheme):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("gateway.example").configure_cert(context)
    with listening(context=context) as port:
        assert is_alive(f"{scheme}://127.0.0.1:{port}")


def test_where_nobody_listens_nobody_is_alive():
    with listening() as port:
        pass
    assert not is_alive(f"http://127.0.0.1:{port}")


def test_the_command_looks_where_the_gateway_is_set_to_listen(place):
    with listening() as port:
        assert health(PORT=str(port)).exit_code == 0
        (place / "dragoman.toml").write_text(f'[server]\nhost = "0.0.0.0"\nport = {port}\n')
        assert health(DRAGOMAN_CONTAINER="1").exit_code == 0
    gone = health()
    assert gone.exit_code == 1
    assert f"http://127.0.0.1:{port}" in gone.stderr


def test_the_command_does_not_mind_settings_that_only_the_gateway_needs(place):
    with listening() as port:
        text = f'[server]\nport = {port}\n[providers.x]\nkind = "gone"\ncredentials = ["env:NO"]\n'
        (place / "dragoman.toml").write_text(text)
        assert health().exit_code == 0


def test_the_command_can_be_told_an_address(place):
    with listening() as port:
        assert health("--url", f"http://127.0.0.1:{port}").exit_code == 0
