"""``dragoman keys``: what each credential's provider says of it now, as a table or as JSON."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import Final, TextIO

import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from dragoman.clock import LoopTicker
from dragoman.dialects.operations import Balance
from dragoman.house import House, all_secrets
from dragoman.operations.health import Finding, examine
from dragoman.process import loop_factory
from dragoman.settings import Settings
from dragoman.telemetry.journals import Journals
from dragoman.telemetry.masking import Masker

DONE: Final = 0
FAILED: Final = 1


def run(settings: Settings, *, as_json: bool, out: TextIO | None = None) -> int:
    """Print the health of every credential. Returns the exit code: 1 when one is not good."""
    out = out or sys.stdout
    masker = Masker(all_secrets(settings))
    total = sum(max(1, len(block.credentials)) for block in settings.providers.values())
    with (
        Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress,
        asyncio.Runner(loop_factory=loop_factory()) as runner,
    ):
        task = progress.add_task("Asking the providers", total=total)
        findings = runner.run(_ask(settings, masker, lambda _: progress.advance(task)))
    for finding in findings:
        finding.problem = masker.mask(finding.problem)
    if as_json:
        out.write(msgspec.json.format(msgspec.json.encode(findings), indent=2).decode() + "\n")
    else:
        console = Console(file=out)
        console.print(table(findings))
        for finding in findings:
            if finding.problem:
                console.print(Text(f"{finding.credential}: {finding.problem}"))
    return DONE if all(finding.healthy for finding in findings) else FAILED


async def _ask(
    settings: Settings, masker: Masker, told: Callable[[Finding], None]
) -> list[Finding]:
    """A house of which nothing is opened but the ways to the providers."""
    house = House(settings, masker, "console", Journals(sys.stderr, masker))
    ticker = LoopTicker(house.wheel, house.clock, asyncio.get_running_loop())
    ticker.start()
    try:
        return await examine(house.providers, house.origins, house.clock, told)
    finally:
        for provider in house.providers.values():
            await provider.close()
        for network in house.networks.values():
            await network.close()
        ticker.stop()


def table(findings: Sequence[Finding]) -> Table:
    """For people."""
    shown = Table(box=None, pad_edge=False)
    for column in ("credential", "state", "models", "balance", "time"):
        shown.add_column(column, no_wrap=True)
    for finding in findings:
        shown.add_row(
            Text(finding.credential),
            Text(finding.state, "green" if finding.healthy else "red"),
            "" if finding.models is None else str(finding.models),
            Text("\n".join(_left(each) for each in finding.balance or ())),
            f"{finding.seconds * 1000:.0f} ms",
        )
    return shown


def _left(balance: Balance) -> str:
    return f"{balance.usage}: {balance.value:,.0f}"
