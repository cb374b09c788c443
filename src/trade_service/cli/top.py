"""`trade-service top`: a live view of a running service."""

import asyncio
import time

import aiohttp
import rich_click as click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from trade_service.cli.running import CommandError, run_until_done
from trade_service.cli.top_figures import STAGES, Figures, Scrape
from trade_service.section import root_url

TIMEOUT_S = 5.0
MAX_BYTES = 10_000_000
OLD_S = 60.0
"""Older unknown outcomes are shown in red."""


class Away(CommandError):
    """The service does not answer; it may be restarting."""


@click.command()
@click.option("--url", default="http://127.0.0.1:8082", show_default=True, help="Address of the service.")
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    help="Seconds between updates.",
)
@click.option(
    "--times", type=click.IntRange(1), help="Number of updates before it ends.  [default: until Ctrl-C]"
)
@click.option("--key", envvar="TRADE_SERVICE_API_KEY", help="API key, if the service requires one.")
def top(url: str, every_s: float, times: int | None, key: str | None) -> None:
    """Watch a running service: throughput, latency, failures and their reasons.

    It continues when the service is away for a while. A terminal shows the view in place; elsewhere each update
    is printed below the last.
    """
    try:
        address = root_url(url)
    except ValueError as error:
        raise click.BadParameter(f"must be {error}", param_hint="--url") from None
    run_until_done(lambda: _watch(address, every_s, times, key))


async def _watch(url: str, every_s: float, times: int | None, key: str | None) -> None:
    console = Console()
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        before = await _scrape(session, url)
        with Live(console=console, auto_refresh=False, screen=False, transient=False) as live:
            looks = 0
            while times is None or looks < times:
                await asyncio.sleep(every_s)
                try:
                    after = await _scrape(session, url)
                except Away as away:
                    after, view = before, Group(Text(str(away), style="red"))
                else:
                    view = rendered(url, Figures.between(before, after))
                if console.is_terminal:
                    live.update(view, refresh=True)
                else:
                    console.print(view)
                before, looks = after, looks + 1


async def _scrape(session: aiohttp.ClientSession, url: str) -> Scrape:
    try:
        async with session.get(f"{url}/metrics") as response:
            text, status = await _text(response, url), response.status
    except (aiohttp.ClientError, TimeoutError) as error:
        reason = str(error) or "timed out"
        raise Away(f"{url} does not answer ({reason}): is the service running there?") from error
    if status in (401, 403):
        raise CommandError(f"{url}/metrics answers {status}: give a key with --key")
    if status != 200:
        raise CommandError(
            f"{url}/metrics answers {status}: is it a trade service, with metrics switched on?"
        )
    try:
        scrape = Scrape.of(text, time.monotonic())
    except ValueError:
        raise CommandError(f"{url}/metrics is not Prometheus text: is it a trade service?") from None
    if not scrape.has("trade_service_calls_total"):
        raise CommandError(
            f"{url}/metrics has no batch metrics: is it a trade service, with batch.metrics_enabled "
            "(EXECUTION_SERVICE_BATCH_METRICS_ENABLED) true?"
        )
    return scrape


async def _text(response: aiohttp.ClientResponse, url: str) -> str:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        body += chunk
        if len(body) > MAX_BYTES:
            raise CommandError(f"{url}/metrics answers more than {MAX_BYTES} bytes: is it a trade service?")
    return body.decode("utf-8", "replace")


def rendered(url: str, figures: Figures) -> Group:
    """One update of the view."""
    return Group(Text(f"Trade service at {url}", style="bold"), _flow(figures), _reasons(figures))


def _flow(figures: Figures) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    size = figures.executions_a_batch
    old = figures.oldest_unknown_s
    table.add_row(
        "accepted", f"[green]{figures.accepted_rate:,.0f}/s[/]", "failed", _red(figures.failed_rate, "/s")
    )
    table.add_row(
        "calls",
        f"{figures.calls_rate:,.1f}/s",
        "executions a batch",
        "–" if size is None else f"{size:,.1f}",
    )
    table.add_row(
        "requests",
        f"{figures.requests_rate:,.0f}/s",
        "batches in flight",
        f"{figures.in_flight:.0f} of {figures.concurrency_limit:.0f}",
    )
    table.add_row(
        "queue",
        f"{figures.queue:,.0f} of {figures.queue_limit:,.0f}",
        "circuit",
        figures.circuit if figures.circuit == "closed" else f"[red]{figures.circuit}[/]",
    )
    table.add_row(
        "oldest unknown",
        f"[red]{old:,.0f} s[/]" if old > OLD_S else f"{old:,.0f} s",
        "alarms",
        _red(figures.alarms),
    )
    table.add_row("recovered", f"{figures.recovered_rate:,.1f}/s", "success", _success(figures))
    open_ = ", ".join(f"{count:,.0f} {state}" for state, count in figures.open_executions.items() if count)
    table.add_row("open", open_ or "none", "ms a batch", _stages(figures))
    return table


def _success(figures: Figures) -> str:
    settled = figures.accepted_rate + figures.failed_rate
    return f"{100 * figures.accepted_rate / settled:.1f} %" if settled else "–"


def _stages(figures: Figures) -> str:
    times = [f"{stage} {figures.stage_ms[stage]:,.1f}" for stage in STAGES if stage in figures.stage_ms]
    return ", ".join(times) or "–"


def _reasons(figures: Figures) -> Table | Text:
    if not figures.reasons:
        return Text("no failures since the service started", style="dim")
    table = Table("not accepted at once", "executions", box=None, pad_edge=False, header_style="dim")
    for code, count in figures.reasons:
        table.add_row(code, f"{count:,.0f}")
    return table


def _red(number: float, unit: str = "") -> str:
    return f"[red]{number:,.0f}{unit}[/]" if number else f"0{unit}"
