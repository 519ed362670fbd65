"""The commands: what they call, what they print and how they end."""

import subprocess
import sys
import types

import pytest
from typer.testing import CliRunner

from dragoman import __version__
from dragoman.cli import app

KEY = "a2V5OnNlY3JldA=="


class FakeApp(types.ModuleType):
    """Stands for ``dragoman.app`` and remembers what it was asked to run."""

    def __init__(self, outcome=0):
        super().__init__("dragoman.app")
        self.outcome = outcome
        self.ran = []

    def run(self, settings):
        self.ran.append(settings)
        return self.outcome

    def demo(self, port, host):
        self.ran.append((port, host))
        return self.outcome


@pytest.fixture
def house(monkeypatch, tmp_path):
    """A clean directory and environment, and a fake gateway."""
    fake = FakeApp()
    monkeypatch.setitem(sys.modules, "dragoman.app", fake)
    monkeypatch.chdir(tmp_path)
    for name in ("GIGACHAT_CREDENTIALS", "OPENAI_API_KEY", "PORT", "BIND_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    return fake


def dragoman(*arguments, **environ):
    return CliRunner().invoke(app, list(arguments), env=environ)


def test_the_version_is_printed():
    result = dragoman("--version")
    assert result.exit_code == 0
    assert result.stdout == f"dragoman {__version__}\n"


def test_the_help_names_every_command():
    result = dragoman("--help")
    assert result.exit_code == 0
    for command in ("serve", "demo", "simulate", "check", "keys"):
        assert f"  {command} " in result.stdout


def test_an_unknown_command_or_flag_is_wrong_use(house):
    assert dragoman("server").exit_code == 2
    assert dragoman("serve", "--prot", "1").exit_code == 2
    assert dragoman("serve", "--port", "many").exit_code == 2


def test_serve_runs_the_gateway_with_its_flags(house):
    result = dragoman(
        "serve", "--port", "1234", "--api-key", "a", "--api-key", "b", GIGACHAT_CREDENTIALS=KEY
    )
    assert result.exit_code == 0
    (settings,) = house.ran
    assert settings.server.port == 1234
    assert [key.get_secret_value() for key in settings.server.api_keys] == ["a", "b"]


def test_serve_ends_as_the_gateway_ends(house):
    house.outcome = 1
    assert dragoman("serve", GIGACHAT_CREDENTIALS=KEY).exit_code == 1


def test_serve_refuses_a_public_address_that_is_open_to_all(house):
    result = dragoman("serve", "--host", "0.0.0.0", GIGACHAT_CREDENTIALS=KEY)
    assert result.exit_code == 2
    assert house.ran == []
    assert "--insecure-public" in result.stderr
    allowed = dragoman("serve", "--host", "0.0.0.0", "--insecure-public", GIGACHAT_CREDENTIALS=KEY)
    assert allowed.exit_code == 0


def test_serve_without_settings_says_what_to_do(house):
    result = dragoman("serve")
    assert result.exit_code == 2
    assert "GIGACHAT_CREDENTIALS" in result.stderr
    assert "Traceback" not in result.output


def test_demo_needs_no_settings(house):
    assert dragoman("demo", "--port", "1235").exit_code == 0
    assert house.ran == [(1235, "127.0.0.1")]


def test_check_shows_what_would_be_served(house, tmp_path):
    file = tmp_path / "my.toml"
    file.write_text(
        f'[providers.giga]\nkind = "gigachat"\ncredentials = ["{KEY}"]\n'
        '[models.best]\ntargets = ["giga/GigaChat-2-Max", "giga/GigaChat-2"]\n'
    )
    result = dragoman("check", str(file))
    assert result.exit_code == 0
    assert "http://127.0.0.1:8090" in result.stdout
    assert "giga/GigaChat-2-Max -> giga/GigaChat-2" in result.stdout
    assert "1 each" in result.stdout
    assert "Warning: providers.giga.credentials" in result.stderr
    assert KEY not in result.output
    assert house.ran == []


def test_check_counts_the_mistakes(house, tmp_path):
    (tmp_path / "dragoman.toml").write_text("[server]\nport = 70000\nhots = 1\n")
    result = dragoman("check", GIGACHAT_CREDENTIALS=KEY)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "2 mistakes" in result.stderr
    assert "did you mean `host`?" in result.stderr


def test_simulate_refuses_a_fault_it_does_not_know(house):
    result = dragoman("simulate", "--fault", "explode")
    assert result.exit_code == 2
    assert "docs/simulators.md" in result.stderr


def test_simulate_refuses_a_pace_that_is_no_duration(house):
    assert dragoman("simulate", "--pace", "slowly").exit_code == 2


def test_the_configuration_for_the_simulators_is_good(house, tmp_path):
    printed = dragoman("simulate", "--print-config", "--port", "9100")
    assert printed.exit_code == 0
    assert "http://127.0.0.1:9100" in printed.stdout
    (tmp_path / "dragoman.toml").write_text(printed.stdout)
    assert dragoman("check").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--version"], ["rich", "pydantic", "uvicorn", "dragoman.app", "dragoman.settings"]),
        (["check"], ["rich", "uvicorn", "dragoman.app", "dragoman.simulators"]),
    ],
)
def test_a_command_loads_only_what_it_needs(arguments, absent, tmp_path):
    script = (
        "import sys\nfrom dragoman.cli import main\nsys.argv[0] = 'dragoman'\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"print('loaded:', [name for name in {absent!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_keys_are_asked_about(house, monkeypatch):
    asked = []
    fake = types.ModuleType("dragoman.checkup")
    fake.run = lambda settings, *, as_json: asked.append((settings, as_json)) or 1
    monkeypatch.setitem(sys.modules, "dragoman.checkup", fake)
    assert dragoman("keys", "--json", GIGACHAT_CREDENTIALS=KEY).exit_code == 1
    ((settings, as_json),) = asked
    assert list(settings.providers) == ["gigachat"]
    assert as_json
    assert dragoman("keys").exit_code == 2
