"""Commands; thin. Each reads its flags, calls the house and turns the outcome into an exit code.

0 means done, 1 failed, 2 wrong use (unknown flags, settings that cannot work). What only one
command needs is imported inside it, because start-up time is part of every command: ``--version``
loads neither the settings nor the server, ``simulate`` does not load the gateway.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from dragoman import __version__

if TYPE_CHECKING:
    from dragoman.settings import Settings, SettingsError
    from dragoman.settings.tree import ProviderBlock

FAILED = 1
WRONG_USE = 2

app = typer.Typer(
    name="dragoman",
    help="An LLM gateway: OpenAI clients on GigaChat and every OpenAI-compatible server.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Table = tuple[str, list[tuple[str, ...]]]
"""A title, and rows of which the first is the head."""

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file; without it ./dragoman.toml, if it exists."),
]
EnvFileOption = Annotated[
    Path | None,
    typer.Option("--env-file", help="File with variables; without it ./.env, if it exists."),
]
HostOption = Annotated[str, typer.Option("--host", help="Address to listen on.")]


def main() -> None:
    """Entry point of ``dragoman``."""
    app()


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    if wanted:
        typer.echo(f"dragoman {__version__}")
        raise typer.Exit


@app.callback()
def dragoman(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """One gateway in front of the models that you really have."""


@app.command()
def serve(  # noqa: PLR0913 - one parameter is one flag
    *,
    config: ConfigOption = None,
    env_file: EnvFileOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 takes a free one [8090].")] = None,
    log_level: Annotated[
        str | None, typer.Option(help="debug, info, warning or error [info].")
    ] = None,
    api_key: Annotated[
        list[str] | None,
        typer.Option(
            help="Key that clients must show; may be repeated. env:NAME keeps it out of the "
            "process list."
        ),
    ] = None,
    insecure_public: Annotated[
        bool | None,
        typer.Option(
            "--insecure-public", help="Listen on a public address although no key is asked for."
        ),
    ] = None,
) -> None:
    """Run the gateway until it is stopped.

    A GigaChat key is enough to begin: GIGACHAT_CREDENTIALS=... dragoman serve
    """
    flags = {
        "--host": host,
        "--port": port,
        "--log-level": log_level,
        "--api-key": api_key,
        "--insecure-public": insecure_public,
    }
    settings = _load(flags, config, env_file)
    from dragoman.app import run  # noqa: PLC0415 - only after the settings have been found good

    raise typer.Exit(run(settings))


@app.command(
    "gpt2giga",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    options_metavar="[GPT2GIGA'S OPTIONS]",
)
def replace_gpt2giga(context: typer.Context) -> None:
    """Run the gateway with gpt2giga's own flags, variables and .env.

    Flags in any of its styles: --pass-model, --proxy-pass-model, --proxy.pass-model.
    --env-path FILE names the .env, --inspect-config prints what the settings come to and ends.
    docs/from-gpt2giga.md lists everything.
    """
    from dragoman.compat import gpt2giga  # noqa: PLC0415 - see the module docstring
    from dragoman.settings import SettingsError  # noqa: PLC0415 - same reason

    try:
        start = gpt2giga.read(context.args)
    except SettingsError as error:
        _refuse(error)
    if start.inspect_only:
        for warning in start.settings.warnings:
            typer.echo(f"Warning: {warning}", err=True)
        typer.echo(json.dumps(shown(start.settings), indent=2, ensure_ascii=False))
        return
    from dragoman.app import run  # noqa: PLC0415 - only after the settings have been found good

    raise typer.Exit(run(start.settings))


@app.command()
def demo(
    *,
    host: HostOption = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port of the gateway.")] = 8090,
) -> None:
    """Run the gateway together with simulated providers: no account, no network, no settings."""
    from dragoman.app import demo as run_demo  # noqa: PLC0415 - see the module docstring

    raise typer.Exit(run_demo(port, host))


@app.command()
def simulate(
    *,
    host: HostOption = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port.", min=1, max=65_535)] = 9099,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="Misbehaviour of every answer, as in 429:retry-after=2,every=3 or "
            "cut:after=5; may be repeated."
        ),
    ] = None,
    pace: Annotated[
        str, typer.Option(help="Pause between two events of a stream, as in 20ms.")
    ] = "0",
    print_config: Annotated[
        bool,
        typer.Option(
            "--print-config", help="Print a dragoman.toml that uses the simulators, and exit."
        ),
    ] = False,
) -> None:
    """Run simulated GigaChat, OpenAI and Anthropic APIs on one port, to try and test against."""
    from dragoman.simulators.faults import read_duration, read_fault  # noqa: PLC0415 - see the docstring
    from dragoman.simulators.options import SimulatorOptions  # noqa: PLC0415 - same reason

    faults = fault or []
    try:
        for text in faults:
            read_fault(text)
        options = SimulatorOptions(faults=faults, pace=read_duration(pace))
    except ValueError as error:
        typer.echo(f"{error}; docs/simulators.md lists what can be asked for", err=True)
        raise typer.Exit(WRONG_USE) from None
    from dragoman.simulators import server  # noqa: PLC0415 - only after the flags are found good

    if print_config:
        typer.echo(server.config_toml(f"http://{host}:{port}"))
        return
    typer.echo(f"Simulated GigaChat on http://{host}:{port}/gigachat/api/v1")
    typer.echo(f"Simulated OpenAI on http://{host}:{port}/openai/v1")
    typer.echo(f"Simulated Anthropic on http://{host}:{port}/anthropic")
    typer.echo("Settings that use them: dragoman simulate --print-config. Stop with Ctrl+C.")
    with suppress(KeyboardInterrupt):
        server.run(options, host, port)


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="Settings file; without it ./dragoman.toml.")
    ] = None,
    *,
    env_file: EnvFileOption = None,
) -> None:
    """Check the settings and print what would be served; nothing is started or called."""
    settings = _load({}, file, env_file)
    for title, rows in describe(settings):
        typer.echo(title)
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            typer.echo("  " + "  ".join(cells).rstrip())
        typer.echo()
    for warning in settings.warnings:
        typer.echo(f"Warning: {warning}", err=True)
    typer.echo("The settings are good.")


@app.command()
def health(
    *,
    config: ConfigOption = None,
    env_file: EnvFileOption = None,
    url: Annotated[
        str | None, typer.Option(help="Where the gateway is; without it where it is set to listen.")
    ] = None,
) -> None:
    """Ask the running gateway whether it is alive: exit 0 if it answers, 1 if not."""
    from dragoman.probe import is_alive  # noqa: PLC0415 - see the module docstring
    from dragoman.settings.addresses import address_for_clients  # noqa: PLC0415 - same reason
    from dragoman.settings_sources import load_server  # noqa: PLC0415 - same reason

    address = url or address_for_clients(load_server(config=config, env_file=env_file))
    if not is_alive(address):
        typer.echo(f"Nothing alive at {address}", err=True)
        raise typer.Exit(FAILED)
    typer.echo(f"Alive at {address}")


@app.command()
def connect(  # noqa: PLR0913 - one parameter is one flag
    name: Annotated[
        str | None, typer.Argument(metavar="APP", help="Program to set up; none lists them.")
    ] = None,
    *,
    write: Annotated[
        bool, typer.Option("--write", help="Write the program's settings file.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take back what --write did, exactly.")
    ] = False,
    url: Annotated[
        str | None, typer.Option(help="Where the program finds the gateway [your settings].")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Key that it shows [the first of server.api_keys].")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model that it asks for [the first that you serve].")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="The program's settings file, if it is not where usual.")
    ] = None,
    config: ConfigOption = None,
    env_file: EnvFileOption = None,
    config_home: Annotated[Path | None, typer.Option(envvar="XDG_CONFIG_HOME", hidden=True)] = None,
) -> None:
    """Set up another program as a client: print its settings, or write them and take them back."""
    from dragoman.connect import catalogue, tasks  # noqa: PLC0415 - see the module docstring
    from dragoman.whereabouts import endpoint  # noqa: PLC0415 - same reason

    if write and undo:
        raise typer.BadParameter("--write and --undo exclude each other")
    if name is None:
        typer.echo(tasks.listing(), nl=False)
        return
    try:
        chosen = tasks.choose(name, file, config_home)
        if undo:
            typer.echo(chosen.undo())
            return
        found, remark = endpoint(url, key, model, config, env_file)
        if remark:
            typer.echo(f"Note: {remark}.", err=True)
        typer.echo(chosen.write(found) if write else chosen.show(found), nl=write)
    except catalogue.CannotConnect as error:
        typer.echo(f"Nothing was changed: {error}", err=True)
        raise typer.Exit(FAILED) from None


@app.command()
def keys(
    *,
    config: ConfigOption = None,
    env_file: EnvFileOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON for programs instead of a table.")
    ] = False,
) -> None:
    """Ask every provider whether each credential is good, with calls that cost nothing.

    The exit code is 1 when any of them is not.
    """
    settings = _load({}, config, env_file)
    from dragoman.checkup import run  # noqa: PLC0415 - only after the settings have been found good

    raise typer.Exit(run(settings, as_json=as_json))


def describe(settings: Settings) -> list[Table]:
    """What would be served."""
    server = settings.server
    scheme = "https" if server.tls_certificate else "http"
    keys = f"{len(server.api_keys)} client keys" if server.api_keys else "no client key asked for"
    tables: list[Table] = [
        ("Server", [("address", "clients"), (f"{scheme}://{server.host}:{server.port}", keys)])
    ]
    rows: list[tuple[str, ...]] = [("name", "kind", "address", "credentials", "at once", "models")]
    for name, provider in settings.providers.items():
        limit = provider.in_flight
        rows.append(
            (
                name,
                provider.kind,
                provider.base_url,
                _proofs(provider),
                "no limit" if limit is None else f"{limit} each",
                ", ".join(provider.models) or "as it reports",
            )
        )
    tables.append(("Providers", rows))
    if settings.models:
        aliases: list[tuple[str, ...]] = [
            (alias, " -> ".join(model.targets)) for alias, model in settings.models.items()
        ]
        tables.append(("Aliases", [("model", "targets, best first"), *aliases]))
    return tables


def shown(settings: Settings) -> dict[str, Any]:
    """The whole tree as JSON has it, without secrets."""
    return settings.model_dump(mode="json")  # pydantic prints a secret as asterisks


def _proofs(provider: ProviderBlock) -> str:
    """What calls are signed with, as a count and a kind."""
    proofs = [f"{len(provider.credentials)}"] if provider.credentials else []
    if getattr(provider, "access_token", None):
        proofs.append("ready token")
    if getattr(provider, "user", None):
        proofs.append("user")
    if provider.client_certificate:
        proofs.append("certificate")
    if getattr(provider, "callers_credentials", False):
        proofs.append("callers' own")
    return " + ".join(proofs) or "none"


def _load(flags: Mapping[str, object], config: Path | None, env_file: Path | None) -> Settings:
    from dragoman.settings import SettingsError  # noqa: PLC0415 - see the module docstring
    from dragoman.settings_sources import load  # noqa: PLC0415 - same reason

    try:
        return load(flags, config=config, env_file=env_file)
    except SettingsError as error:
        _refuse(error)


def _refuse(error: SettingsError) -> NoReturn:
    """Say everything that is wrong, and end."""
    from dragoman.settings.draft import told  # noqa: PLC0415 - see the module docstring

    many = len(error.mistakes)
    typer.echo(f"The settings have {many} mistake{'s' if many > 1 else ''}:", err=True)
    for mistake in error.mistakes:
        typer.echo(f"  - {told(mistake)}", err=True)
    raise typer.Exit(WRONG_USE) from None
