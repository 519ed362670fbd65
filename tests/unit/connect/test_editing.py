"""The new text of settings files: users' own settings and remarks stay."""

import pytest
from ruamel.yaml import YAML

from dragoman.connect.catalogue import CannotConnect, Endpoint, names, read
from dragoman.connect.editing import edited, sample

HERE = Endpoint("http://127.0.0.1:8090", "key-1", "GigaChat-2-Max")
THERE = Endpoint("https://gateway.example/llm", 'a"b: #c', "other/model: 1")
WITH_FILES = [name for name in names() if read(name).file is not None]

AIDER = """\
# how I like it
dark-mode: true   # at night
model: gpt-4o
read:
    - CONVENTIONS.md   # ours
    - 'README.md'
lint-cmd: "python: ruff check"
"""
CONTINUE = """\
name: Mine
version: 1.0.0
schema: v1
models:
  # the local one
  - name: Ollama
    provider: ollama
    model: qwen3
rules:
  - Be short.
"""


def load(text):
    return YAML(typ="safe").load(text)


@pytest.mark.parametrize("name", WITH_FILES)
@pytest.mark.parametrize("endpoint", [HERE, THERE])
def test_a_new_file_holds_the_endpoint_and_is_left_alone_afterwards(name, endpoint):
    file = read(name).file
    text = sample(file, endpoint)
    assert endpoint.values["url"] in text
    assert edited(text, file, endpoint) == text


@pytest.mark.parametrize("name", WITH_FILES)
def test_a_second_endpoint_replaces_the_first(name):
    file = read(name).file
    assert HERE.root not in edited(sample(file, HERE), file, THERE)


def test_remarks_quotes_order_and_foreign_names_of_yaml_stay():
    new = edited(AIDER, read("aider").file, HERE)
    assert new == AIDER.replace("model: gpt-4o", 'model: "openai/GigaChat-2-Max"') + (
        'openai-api-base: "http://127.0.0.1:8090/v1"\nopenai-api-key: "key-1"\n'
    )


def test_a_model_is_added_to_a_list_and_later_replaced():
    file = read("continue").file
    once = edited(CONTINUE, file, HERE)
    assert [one["name"] for one in load(once)["models"]] == ["Ollama", "Dragoman"]
    assert "  # the local one\n" in once
    assert "rules:\n  - Be short.\n" in once
    twice = edited(once, file, THERE)
    assert [one["name"] for one in load(twice)["models"]] == ["Ollama", "Dragoman"]
    assert load(twice)["models"][1]["model"] == "other/model: 1"


def test_a_document_may_be_a_list():
    text = "- model_id: mine\n  model_name: x\n"
    found = load(edited(text, read("llm").file, HERE))
    assert [one["model_id"] for one in found] == ["mine", "dragoman"]


def test_windows_line_ends_stay():
    new = edited(AIDER.replace("\n", "\r\n"), read("aider").file, HERE)
    assert new.count("\n") == new.count("\r\n")


def test_keys_that_look_like_something_else_stay_texts():
    for key in ("0123", "yes", "1e3", "null", "2026-11-22"):
        text = sample(read("aider").file, Endpoint(HERE.root, key, "m"))
        assert f'openai-api-key: "{key}"' in text


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("zed", "{", "JSON"),
        ("zed", '{"language_models": []}', "no place"),
        ("zed", '["a"]', "no place"),
        ("aider", "- a\n- b\n", "no place"),
        ("aider", "a: [", "YAML"),
        ("aider", "a: 1\na: 2\n", "YAML"),
        ("continue", "models: none\n", "no list"),
        ("llm", "a: 1\n", "no list"),
        ("aider", "a: !!python/object:os.system {}\n", "YAML"),
    ],
)
def test_a_file_that_is_not_what_was_expected_is_refused(name, text, reason):
    with pytest.raises(CannotConnect, match=reason):
        edited(text, read(name).file, HERE)
