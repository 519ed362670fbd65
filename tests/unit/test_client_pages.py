"""``docs/clients`` is made from the data of ``dragoman connect``; this holds it to them.

``make golden-update`` writes the pages anew.
"""

import os
from pathlib import Path

import pytest

from dragoman.connect.catalogue import API_NAMES, SERVED, Endpoint, filled, names, read
from dragoman.connect.wording import instructions
from support.recordings import SHARED

FOLDER = Path(__file__).parents[2] / "docs" / "clients"
USUAL = Endpoint("http://127.0.0.1:8090", "anything", "GigaChat-2-Max")
IS_UPDATE = os.environ.get("DRAGOMAN_GOLDEN_UPDATE") == "1"  # noqa: TID251 - set by make
CONNECTED = [name for name in names() if read(name).api in SERVED]
CASES = {
    "text": "a text",
    "schema": "structured output",
    "jsonobject": "a JSON object",
    "tools": "tools",
    "tool": "a tool's result",
    "forced": "a tool that has to be called",
    "image": "a picture",
    "file": "a document",
    "reasoning": "reasoning",
    "stream": "streamed",
}


def shown_place(file):
    """Where the settings file is, as a person writes it."""
    if file is None or not file.path:
        return "your settings file"
    return filled(file.path, {"home": "~", "config": "~/.config"})


def case(capture):
    """What a captured request shows, in words."""
    parts = (
        capture.partition("--")[2].replace("tool-results", "tool").replace("tool-result", "tool")
    )
    words = [CASES[part] for part in parts.split("-") if not part.isdigit()]
    return ", ".join(words)


def settings_of(program):
    for title, language, text in instructions(program, USUAL, "FILE"):
        if title:
            yield f"{title}\n".replace("`FILE`", f"`{shown_place(program.file)}`")
        yield text if language == "steps" else f"```{language}\n{text}```\n"


def command(name, program):
    lines = [
        f"dragoman connect {name}  # prints what stands below, with your address, key and model"
    ]
    if program.file is not None:
        where = "" if program.file.path else " --file PATH"
        lines += [f"dragoman connect {name} --write{where}  # writes it into the file"]
        lines += [f"dragoman connect {name} --undo{where}  # takes it back, exactly"]
    return "```sh\n" + "\n".join(lines) + "\n```\n"


def proof(program):
    tried = ""
    if program.tried:
        tried = (
            f"{program.tried} was run with exactly these settings, as `dragoman connect` gave "
            "them, against `dragoman demo`, and showed the answer.\n"
        )
    if not program.proven:
        if tried:
            return f"{tried}\nNone of its requests is among those that the tests replay.\n"
        return (
            "No request of this program has been recorded, so that the settings above are from its "
            "documentation and not proven here. The path that it calls is that of every other "
            "client of Chat Completions.\n"
        )
    rows = [f"| `{one}` | {case(one)} |" for one in program.proven]
    return (
        f"Requests that {program.recorded} sent while it worked are replayed by the tests, to the "
        "address and with the key that the settings above name, in front of a simulated GigaChat "
        "and of a simulated OpenAI-compatible server. They are answered, or refused where "
        "[the table](../gigachat.md) says that GigaChat cannot do what is asked.\n\n"
        "| request | shows |\n|---|---|\n"
        + "\n".join(rows)
        + "\n"
        + (f"\n{tried}" if tried else "")
    )


def page(name):
    program = read(name)
    parts = [f"# {program.title}\n", f"{program.title} is {program.about}.\n"]
    parts += ["## Settings\n", command(name, program), *settings_of(program)]
    if program.notes:
        notes = (f"- {filled(note, USUAL.values)}\n" for note in program.notes)
        parts += ["## Good to know\n", "".join(notes)]
    parts += ["## What is proven\n", proof(program)]
    return "\n".join(parts)


def index():
    served = [(name, read(name)) for name in CONNECTED]
    rows = [
        f"| [{program.title}]({name}.md) | {program.about} | {'yes' if program.file else ''} "
        f"| {program.recorded} | {program.tried} |"
        for name, program in served
    ]
    waiting = [
        f"| {read(name).title} | {API_NAMES[read(name).api]} |"
        for name in names()
        if name not in CONNECTED
    ]
    return (
        "# Clients\n\n"
        "How to set up programs as clients of the gateway. Each page says what `dragoman connect "
        "APP` prints; *written* means that `--write` changes the program's settings file, keeping "
        "everything else in it, and `--undo` puts back what was there. *Replayed* names the "
        "version whose own requests are replayed by the tests, *tried* the one that was run with "
        "these settings against `dragoman demo`; where there is neither, the settings are from the "
        "program's documentation.\n\n"
        "Address, key and model are taken from your settings (`dragoman.toml`, `.env`, the "
        "environment); `--url`, `--key` and `--model` say otherwise, for instance on a machine "
        "that is not the gateway's. What is printed holds the client's key, because it is to be "
        "pasted. Coming from gpt2giga, nothing in your clients has to change.\n\n"
        "| program | what it is | written | replayed | tried |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n\n"
        "Every other client of Chat Completions works too: base URL `http://127.0.0.1:8090/v1`, "
        "any key unless you set `server.api_keys`, and a model that `/v1/models` lists.\n\n"
        "## Not yet\n\n"
        "These speak an API that this version does not serve.\n\n"
        "| program | API |\n|---|---|\n" + "\n".join(waiting) + "\n"
    )


def assert_is(path, text):
    if IS_UPDATE:
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", CONNECTED)
def test_every_program_has_its_page(name):
    assert_is(FOLDER / f"{name}.md", page(name))


def test_the_index_lists_every_page_and_there_is_no_other():
    assert_is(FOLDER / "README.md", index())
    assert {path.stem for path in FOLDER.glob("*.md")} == {*CONNECTED, "README"}


@pytest.mark.parametrize("name", names())
def test_what_is_said_to_be_proven_was_recorded_and_everything_recorded_is_said(name):
    program = read(name)
    assert bool(program.captures) == bool(program.recorded) == bool(program.proven)
    assert len(set(program.proven)) == len(program.proven)
    folder = SHARED / "client-requests" / program.captures
    if program.captures and folder.parent.exists():
        recorded = {path.stem for path in folder.glob("openai-chat--*.json")}
        assert set(program.proven) == recorded
