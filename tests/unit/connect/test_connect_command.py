"""``dragoman connect``: what it takes from the settings, prints, writes and refuses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dragoman.cli import app
from dragoman.connect.catalogue import SERVED, Endpoint, names, read
from dragoman.connect.tasks import root_of
from dragoman.connect.wording import instructions, on_terminal, place_of

SETTINGS = """\
[server]
host = "0.0.0.0"
port = 1234
api_keys = ["client-key"]
[providers.gigachat]
credentials = ["env:GIGACHAT_CREDENTIALS"]
[models.house]
targets = ["gigachat/GigaChat-2-Max"]
"""
SPEAKING = [name for name in names() if read(name).api in SERVED]
REFUSED = [name for name in names() if read(name).api not in SERVED]
HERE = Endpoint("http://127.0.0.1:8090", "it's", "a/b")


@pytest.fixture
def home(monkeypatch, tmp_path):
    """An empty home, working folder and environment."""
    for name in ("PORT", "BIND_ADDRESS", "GPT2GIGA_PORT", "GPT2GIGA_HOST", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("GIGACHAT_CREDENTIALS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


def connect(*arguments, **environ):
    return CliRunner().invoke(app, ["connect", *arguments], env=environ)


def test_without_a_name_all_programs_are_listed(home):
    result = connect()
    assert result.exit_code == 0
    for name in names():
        assert f"\n  {name} " in result.stdout


@pytest.mark.parametrize("name", SPEAKING)
def test_every_program_is_told_the_address_that_was_given(home, name):
    result = connect(name, "--url", "http://gateway:1/v1/", "--key", "k-1", "--model", "m-1")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "http://gateway:1" in result.stdout or name == "xcode"
    assert "{{" not in result.stdout
    assert "m-1" in result.stdout or name in {"open-webui", "openai-node", "xcode"}


@pytest.mark.parametrize("name", REFUSED)
def test_programs_of_apis_that_are_not_served_are_refused(home, name):
    result = connect(name)
    assert result.exit_code == 1
    assert "does not serve" in result.stderr
    assert result.stdout == ""


def test_what_was_not_given_comes_from_the_settings(home):
    Path("dragoman.toml").write_text(SETTINGS)
    result = connect("openai-python", GIGACHAT_CREDENTIALS="k")
    assert "OPENAI_BASE_URL=http://127.0.0.1:1234/v1\n" in result.stdout
    assert "OPENAI_API_KEY=client-key\n" in result.stdout
    assert 'model="house"' in result.stdout


@pytest.mark.parametrize(
    ("environ", "model"),
    [
        ({"GIGACHAT_CREDENTIALS": "k"}, "GigaChat-2-Max"),
        ({"GIGACHAT_CREDENTIALS": "k", "GIGACHAT_MODEL": "GigaChat-2"}, "GigaChat-2"),
    ],
)
def test_a_model_is_found_where_no_alias_is(home, environ, model):
    assert f'model="{model}"' in connect("openai-python", **environ).stdout


def test_a_model_that_two_providers_have_is_named_with_its_provider(home):
    block = '[providers.{0}]\nkind = "openai_compatible"\nbase_url = "http://{0}.example/v1"\n'
    blocks = (block.format(name) + 'models = ["m"]\n' for name in ("one", "two"))
    Path("dragoman.toml").write_text("".join(blocks))
    assert 'model="one/m"' in connect("openai-python").stdout


def test_without_settings_the_usual_is_told_and_said(home):
    result = connect("openai-python")
    assert result.exit_code == 0
    assert "http://127.0.0.1:8090/v1" in result.stdout
    assert "--url, --key and --model" in result.stderr


def test_a_file_is_written_and_taken_back(home):
    given = ("--url", "http://gateway:1", "--key", "k", "--model", "m")
    path = home / ".config" / "zed" / "settings.json"
    path.parent.mkdir(parents=True)
    path.write_text('// mine\n{\n  "theme": "One",\n}\n')
    written = connect("zed", "--write", *given)
    assert written.exit_code == 0, written.output
    assert str(path) in written.stdout
    assert path.read_text().startswith('// mine\n{\n  "theme": "One",\n  "language_models": {\n')
    again = connect("zed", "--write", *given)
    assert (again.exit_code, "already" in again.stdout) == (0, True)
    assert connect("zed", "--undo").exit_code == 0
    assert path.read_text() == '// mine\n{\n  "theme": "One",\n}\n'
    nothing = connect("zed", "--undo")
    assert (nothing.exit_code, "nothing to take back" in nothing.stderr) == (1, True)


def test_the_folder_for_settings_can_be_elsewhere(home, tmp_path):
    given = ("--url", "http://gateway:1", "--key", "k", "--model", "m")
    result = connect("opencode", "--write", *given, XDG_CONFIG_HOME=str(tmp_path / "xdg"))
    assert result.exit_code == 0
    found = json.loads((tmp_path / "xdg" / "opencode" / "opencode.json").read_text())
    assert found["provider"]["dragoman"]["options"]["apiKey"] == "k"


def test_a_file_that_cannot_be_changed_is_named(home):
    path = home / ".aider.conf.yml"
    path.parent.mkdir()
    path.write_text("- a list\n")
    result = connect("aider", "--write", "--url", "http://gateway:1", "--key", "k", "--model", "m")
    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert path.read_text() == "- a list\n"


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["zde"], 1, "did you mean zed?"),
        (["zed", "--url", "gateway:1"], 1, "is no address"),
        (["zed", "--write", "--undo"], 2, "exclude each other"),
        (["n8n", "--write"], 1, "not set up by a file"),
        (["librechat", "--write"], 1, "--file PATH"),
    ],
)
def test_what_cannot_be_done_is_said(home, arguments, status, told):
    result = connect(*arguments)
    assert (result.exit_code, told in result.stderr) == (status, True), result.stderr


@pytest.mark.parametrize(
    "address", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/", " http://h:1 "]
)
def test_an_address_is_understood_with_and_without_its_version(address):
    assert root_of(address) == "http://h:1"


def test_every_file_of_data_can_be_shown_and_uses_what_its_form_can_do():
    for name in SPEAKING:
        program = read(name)
        assert on_terminal(program, name, HERE, "FILE")
        assert list(instructions(program, HERE, "FILE"))
        if program.file is not None and program.file.format == "json":
            assert not any(edit.item for edit in program.file.edits)


def test_values_are_quoted_as_each_language_wants_it():
    texts = {
        language: text
        for name in ("openai-python", "aider", "n8n")
        for _, language, text in instructions(read(name), HERE, "FILE")
    }
    assert "'it'\"'\"'s'" in texts["sh"]
    assert 'api_key="it\'s"' in texts["python"]
    assert json.loads(texts["json"])[0]["data"]["apiKey"] == "it's"


def test_a_place_may_differ_on_macos(tmp_path):
    file = read("llm").file
    assert "Application Support" in str(place_of(file, tmp_path, tmp_path / "c", "darwin"))
    assert place_of(file, tmp_path, tmp_path / "c", "linux").is_relative_to(tmp_path / "c")
