"""Facts about models."""

import pytest

from dragoman.providers.catalogue import facts


@pytest.mark.parametrize(
    ("model", "reasoning", "json_schema"),
    [
        ("GigaChat", False, False),
        ("GigaChat:2.0.28.2", False, False),
        ("GigaChat-2-Max", False, False),
        ("GigaChat-2-Max-preview", False, False),
        ("GigaChat-Pro", False, False),
        ("GigaChat-2-Reasoning", True, False),
        ("GigaChat-2-Reasoning:1.2", True, False),
        ("GigaChat-3-Ultra", True, True),
        ("gigachat-3-pro-preview", True, True),
        ("GigaChat-3-Ultra:32.3.7.3", True, True),
        ("GigaChat-4", True, True),
        ("GigaChat-30", True, True),
        ("GigaChat-20b", False, False),
        ("something-else", False, False),
    ],
)
def test_families_of_gigachat(model, reasoning, json_schema):
    found = facts("gigachat", model)
    assert (found.reasoning, found.json_schema) == (reasoning, json_schema)


@pytest.mark.parametrize(
    ("model", "sees"),
    [
        ("GigaChat", False),
        ("GigaChat:2.0.28.2", False),
        ("GigaChat-preview", False),
        ("GigaChat-2", False),
        ("GigaChat-2-preview", False),
        ("GigaChat-Plus", False),
        ("GigaChat-Pro", True),
        ("GigaChat-2-Max", True),
        ("GigaChat-2-Pro-preview", True),
        ("GigaChat-3-Ultra", True),
        ("something-else", True),
    ],
)
def test_the_smaller_models_of_gigachat_see_no_pictures(model, sees):
    assert facts("gigachat", model).images is sees


def test_nothing_is_held_back_from_a_compatible_server():
    assert facts("openai_compatible", "any/thing:latest").reasoning


def test_an_unknown_kind_can_do_nothing_special():
    assert not facts("brand_new", "m").json_schema
