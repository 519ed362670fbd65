"""The files of ``deploy`` and the Dockerfile: what their readers rely on.

``make check`` lints them with hadolint and against the Compose specification; ``make rehearse``
does what the Dockerfile says.
"""

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser
from dotenv import dotenv_values
from ruamel.yaml import YAML

from dragoman.settings_sources import load

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose.yaml"
EXAMPLE = ROOT / "deploy" / ".env.example"
INSIDE = {"DRAGOMAN_CONTAINER": "1"}


@pytest.fixture(scope="module")
def steps():
    with (ROOT / "Dockerfile").open("rb") as file:
        parsed = DockerfileParser(fileobj=file).structure
    return [(one["instruction"], one["value"]) for one in parsed if one["instruction"] != "COMMENT"]


@pytest.fixture(scope="module")
def service():
    return YAML(typ="safe").load(COMPOSE.read_text("utf-8"))["services"]["dragoman"]


def values(steps, instruction):
    return [value for name, value in steps if name == instruction]


def last_stage(steps):
    begins = max(number for number, (name, _) in enumerate(steps) if name == "FROM")
    return steps[begins:]


def test_the_python_version_is_an_argument_of_every_stage(steps):
    assert steps[0][0] == "ARG"
    assert re.fullmatch(r"PYTHON_VERSION=3\.1[1-4]", steps[0][1])
    assert len(values(steps, "FROM")) == 2
    assert all("python:${PYTHON_VERSION}-slim" in value for value in values(steps, "FROM"))


def test_everything_is_installed_from_the_lock_file(steps):
    synced = [value for value in values(steps, "RUN") if "uv sync" in value]
    assert len(synced) == 2
    assert all("--frozen --no-dev" in value for value in synced)
    assert "--no-editable" in synced[-1]


def test_the_image_itself_runs_nothing_as_root(steps):
    final = last_stage(steps)
    assert values(final, "RUN") == []
    (user,) = values(final, "USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    assert f"--chown={user}" in " ".join(values(final, "COPY"))


def test_the_image_serves_is_checked_by_itself_and_takes_other_commands(steps):
    final = last_stage(steps)
    assert [json.loads(value) for value in values(final, "ENTRYPOINT")] == [["dragoman"]]
    assert [json.loads(value) for value in values(final, "CMD")] == [["serve"]]
    assert "DRAGOMAN_CONTAINER=1" in " ".join(values(final, "ENV"))
    (check,) = values(final, "HEALTHCHECK")
    assert json.loads(check.partition("CMD ")[2]) == ["dragoman", "health"]


def test_only_what_the_image_needs_is_sent_to_the_builder(steps):
    rules = (ROOT / ".dockerignore").read_text("utf-8").split("\n")
    shown = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {
        word
        for value in values(steps, "COPY")
        if "--from" not in value
        for word in value.split()[:-1]
    }
    assert "*" in rules
    assert shown == copied


def test_the_service_is_locked_down(service):
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"] == ["CMD", "dragoman", "health"]
    assert service["env_file"] == [{"path": ".env", "required": True}]


def interpolated(text, variables):
    """What Compose makes of ``${NAME:-default}``, also of one inside another."""
    pattern = re.compile(r"\$\{(\w+):-([^${}]*)\}")
    while pattern.search(text):
        text = pattern.sub(lambda found: variables.get(found[1]) or found[2], text)
    return text


@pytest.mark.parametrize(
    ("variables", "published"),
    [
        ({}, "127.0.0.1:8090:8090"),
        ({"GPT2GIGA_PORT": "9000"}, "127.0.0.1:9000:8090"),
        ({"GPT2GIGA_PROXY_PORT": "9000"}, "127.0.0.1:9000:8090"),
        ({"PUBLISH_ADDRESS": "0.0.0.0"}, "0.0.0.0:8090:8090"),
    ],
)
def test_env_decides_where_it_is_published(service, variables, published):
    assert [interpolated(port, variables) for port in service["ports"]] == [published]


def test_whatever_env_says_it_listens_where_it_is_published(service, tmp_path):
    said = {"GPT2GIGA_HOST": "localhost", "GPT2GIGA_PORT": "9000", "PORT": "9001"}
    said |= {"DRAGOMAN_SERVER__PORT": "9002", "GIGACHAT_CREDENTIALS": "k"}
    server = load({}, environ={**INSIDE, **said, **service["environment"]}, cwd=tmp_path).server
    assert (server.host, server.port) == ("0.0.0.0", 8090)


def test_running_answers_are_given_the_time_that_they_have(service, tmp_path):
    environ = {**INSIDE, "GIGACHAT_CREDENTIALS": "k"}
    grace = load({}, environ=environ, cwd=tmp_path).server.shutdown_grace
    assert int(service["stop_grace_period"].removesuffix("s")) > grace


@pytest.mark.parametrize("with_the_rest", [False, True])
def test_the_example_of_an_env_is_good(with_the_rest, tmp_path):
    text = EXAMPLE.read_text("utf-8")
    if with_the_rest:
        text = re.sub(r"^#(?=[A-Z_]+=)", "", text, flags=re.MULTILINE)
    variables = {**dotenv_values(stream=StringIO(text)), "GIGACHAT_CREDENTIALS": "k"}
    variables.pop("GIGACHAT_CA_BUNDLE_FILE", None)
    settings = load({}, environ={**INSIDE, **variables}, cwd=tmp_path)
    assert settings.server.host == "0.0.0.0"
    (warning,) = settings.warnings
    assert "server.api_keys" in warning


def test_every_variable_of_the_compose_file_is_in_the_example():
    asked = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text("utf-8"))) - {"GPT2GIGA_PROXY_PORT"}
    offered = set(re.findall(r"^#?([A-Z_0-9]+)=", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE))
    assert asked <= offered
