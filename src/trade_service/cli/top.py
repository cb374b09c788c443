"""`trade-service top`: a live view of a running service, and of all replicas on its database."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import TypeAlias

import aiohttp
import msgspec
import rich_click as click
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from trade_service.cli.running import (
    CommandError,
    checked_url,
    console_for,
    key_option,
    print_json,
    run_until_done,
)

Key = tuple[str, frozenset[tuple[str, str]]]
Pair: TypeAlias = tuple[str, str]
"""A name and its value."""

TIMEOUT_S = 5.0
EXECUTIONS = "trade_service_executions_total"
DURATION = "trade_service_batch_duration_seconds"
STAGES = ("queue", "claim", "call", "record")
SHOWN_REASONS = 8
MAX_BYTES = 10_000_000
TWO_PAIRS_WIDTH = 76
"""A terminal at least this wide shows two figures a line."""
OLD_S = 60.0
"""Older unknown outcomes are shown in red."""


class Scrape(msgspec.Struct, frozen=True):
    """The samples of one scrape."""

    at_s: float
    """Of a monotonic clock."""
    samples: Mapping[Key, float]

    @classmethod
    def of(cls, text: str, at_s: float) -> "Scrape":
        """Parses the Prometheus text format; raises ValueError for anything else."""
        samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        return cls(at_s, samples)

    def has(self, name: str) -> bool:
        """Whether there is a sample of that name."""
        return any(n == name for n, _ in self.samples)

    def total(self, name: str, **labels: str) -> float:
        """The sum of all samples of that name that have these labels."""
        wanted = labels.items()
        return sum(
            value for (n, have), value in self.samples.items() if n == name and wanted <= dict(have).items()
        )

    def by(self, name: str, label: str) -> dict[str, float]:
        """The sum for each value of one label."""
        sums: defaultdict[str, float] = defaultdict(float)
        for (n, have), value in self.samples.items():
            if n == name:
                sums[dict(have).get(label, "")] += value
        return dict(sums)


class Replica(msgspec.Struct, frozen=True, rename="camel"):
    """What a replica sent lately, as `/api/v2/replicas` has it."""

    replica: str
    attempts: int
    executions: int
    open_attempts: int
    alive: bool = True


class Replicas(msgspec.Struct, frozen=True, rename="camel"):
    """The replicas, and what they sent in the last seconds."""

    within_s: int = 1
    replicas: tuple[Replica, ...] = ()


NO_REPLICAS = Replicas()


class Figures:
    """Rates per second between two scrapes, and the gauges of the second in `after`.

    A service that was restarted in between counts from zero.
    """

    def __init__(self, before: Scrape, after: Scrape, replicas: Replicas = NO_REPLICAS) -> None:
        self.before = before
        self.after = after
        self.replicas = replicas
        self.accepted_rate = self.rate(EXECUTIONS, state="accepted")
        self.failed_rate = self.rate(EXECUTIONS, state="rejected") + self.rate(
            "trade_service_exhausted_executions_total"
        )
        batches = self._growth("trade_service_batch_size_count")
        self.executions_a_batch = self._growth("trade_service_batch_size_sum") / batches if batches else None
        """None when no batch was sent."""
        counts = {stage: self._growth(f"{DURATION}_count", stage=stage) for stage in STAGES}
        self.stage_ms = {
            stage: self._growth(f"{DURATION}_sum", stage=stage) / count * 1000
            for stage, count in counts.items()
            if count
        }
        """Mean time of each stage of a batch that occurred."""
        states = after.by("trade_service_circuit_state", "state").items()
        self.circuit = next((state for state, value in states if value), "unknown")
        reasons = [item for item in after.by(EXECUTIONS, "code").items() if item[0] != "OK" and item[1]]
        self.reasons = sorted(reasons, key=lambda one: (-one[1], one[0]))[:SHOWN_REASONS]
        """Codes other than OK with their counts since the service started, the most frequent first."""

    def rate(self, name: str, **labels: str) -> float:
        """The growth of a counter per second."""
        return self._growth(name, **labels) / max(self.after.at_s - self.before.at_s, 1e-9)

    def for_programs(self) -> dict[str, object]:
        """What the view shows."""
        return {
            "accepted_per_s": self.accepted_rate,
            "failed_per_s": self.failed_rate,
            "executions_a_batch": self.executions_a_batch,
            "stage_ms": self.stage_ms,
            "circuit": self.circuit,
            "queue": self.after.total("trade_service_queue_executions"),
            "batches_in_flight": self.after.total("trade_service_batches_in_flight"),
            "oldest_unknown_s": self.after.total("trade_service_oldest_unknown_seconds"),
            "pauses": self.after.total("trade_service_pauses"),
            "alarms": self.after.total("trade_service_alarms_total"),
            "open": self.after.by("trade_service_open_executions", "state"),
            "not_accepted_at_once": dict(self.reasons),
            "replicas": {
                one.replica: {
                    "executions_per_s": one.executions / self.replicas.within_s,
                    "batches_per_s": one.attempts / self.replicas.within_s,
                    "open_batches": one.open_attempts,
                    "alive": one.alive,
                }
                for one in self.replicas.replicas
            },
        }

    def _growth(self, name: str, **labels: str) -> float:
        now, then = self.after.total(name, **labels), self.before.total(name, **labels)
        return now - then if now >= then else now


class Away(CommandError):
    """The service does not answer; it may be restarting."""


@click.command()
@click.option(
    "--url",
    default="http://127.0.0.1:8082",
    show_default=True,
    callback=checked_url,
    help="Address of the service.",
)
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
@click.option("--json", "as_json", is_flag=True, help="Print each update as one line of JSON.")
@key_option("API key, if the service requires one.")
def top(*, url: str, every_s: float, times: int | None, key: str | None, as_json: bool) -> None:
    """Watch a running service: throughput, latency, failures and their reasons.

    It also lists what each replica on the same database sent in the last seconds.

    It keeps trying while the service is away. A terminal shows the view in place; elsewhere each update
    is printed below the last.
    """
    run_until_done(lambda: _watch(url, every_s, times, key, as_json=as_json))


async def _watch(url: str, every_s: float, times: int | None, key: str | None, *, as_json: bool) -> None:
    console = console_for(as_json=as_json)
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
                    _print_line({"error": str(away)}, is_wanted=as_json)
                else:
                    figures = Figures(before, after, await _replicas(session, url))
                    view = rendered(url, figures, console.width)
                    _print_line(figures.for_programs(), is_wanted=as_json)
                if console.is_terminal:
                    live.update(view, refresh=True)
                else:
                    console.print(view)
                before, looks = after, looks + 1


def _print_line(update: Mapping[str, object], *, is_wanted: bool) -> None:
    if is_wanted:
        print_json(update, indent=-1)


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


async def _replicas(session: aiohttp.ClientSession, url: str) -> Replicas:
    """The replicas that sent something; none if they cannot be read, for example without the role."""
    try:
        async with session.get(f"{url}/api/v2/replicas") as response:
            text = await _text(response, url)
        return msgspec.json.decode(text, type=Replicas) if response.status == 200 else NO_REPLICAS
    except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
        return NO_REPLICAS


async def _text(response: aiohttp.ClientResponse, url: str) -> str:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        body += chunk
        if len(body) > MAX_BYTES:
            raise CommandError(f"{url}/metrics answers more than {MAX_BYTES} bytes: is it a trade service?")
    return body.decode("utf-8", "replace")


def rendered(url: str, figures: Figures, width: int) -> Group:
    """One update of the view, for a terminal of that width."""
    flow = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    for one, other in _flow(figures):
        if width >= TWO_PAIRS_WIDTH:
            flow.add_row(*one, *other)
        else:
            flow.add_row(*one)
            flow.add_row(*other)
    title = Text(f"Trade service at {url}", style="bold", overflow="fold")
    replicas = [_table_of(figures.replicas)] if figures.replicas.replicas else []
    return Group(title, flow, *replicas, _reasons(figures))


def _table_of(found: Replicas) -> Table:
    table = Table("replica", "executions", "batches", "open", box=None, pad_edge=False, header_style="dim")
    for one in found.replicas:
        rates = (f"{count / found.within_s:,.1f}/s" for count in (one.executions, one.attempts))
        name = Text(one.replica, overflow="fold")
        if not one.alive:
            name.append(" (not alive)", style="red")
        table.add_row(name, *rates, f"{one.open_attempts}")
    return table


def _flow(figures: Figures) -> tuple[tuple[Pair, Pair], ...]:
    gauge, rate = figures.after.total, figures.rate
    accepted, failed, size = figures.accepted_rate, figures.failed_rate, figures.executions_a_batch
    success = f"{100 * accepted / (accepted + failed):.1f} %" if accepted + failed else "–"
    in_flight, limit = gauge("trade_service_batches_in_flight"), gauge("trade_service_concurrency_limit")
    queue, queue_limit = gauge("trade_service_queue_executions"), gauge("trade_service_queue_limit")
    circuit = figures.circuit if figures.circuit == "closed" else f"[red]{figures.circuit}[/]"
    old_s = gauge("trade_service_oldest_unknown_seconds")
    oldest = f"[red]{old_s:,.0f} s[/]" if old_s > OLD_S else f"{old_s:,.0f} s"
    states = figures.after.by("trade_service_open_executions", "state").items()
    open_ = ", ".join(f"{count:,.0f} {state}" for state, count in states if count) or "none"
    stages = ", ".join(f"{stage} {mean_ms:,.1f}" for stage, mean_ms in figures.stage_ms.items()) or "–"
    calls, requests = rate("trade_service_calls_total"), rate("http_requests_total")
    recovered = rate("trade_service_recovered_executions_total")
    if gauge("trade_service_pauses"):
        circuit = f"{circuit}, [red]sending paused[/]"
    return (
        (("accepted", f"[green]{accepted:,.0f}/s[/]"), ("failed", _red(failed, "/s"))),
        (("calls", f"{calls:,.1f}/s"), ("executions a batch", "–" if size is None else f"{size:,.1f}")),
        (("requests", f"{requests:,.0f}/s"), ("batches in flight", f"{in_flight:.0f} of {limit:.0f}")),
        (("queue", f"{queue:,.0f} of {queue_limit:,.0f}"), ("circuit", circuit)),
        (("oldest unknown", oldest), ("alarms", _red(gauge("trade_service_alarms_total")))),
        (("recovered", f"{recovered:,.1f}/s"), ("success", success)),
        (("open", open_), ("ms a batch", stages)),
    )


def _reasons(figures: Figures) -> Table | Text:
    if not figures.reasons:
        return Text("no failures since the service started", style="dim")
    table = Table("not accepted at once", "executions", box=None, pad_edge=False, header_style="dim")
    for code, count in figures.reasons:
        table.add_row(code, f"{count:,.0f}")
    return table


def _red(number: float, unit: str = "") -> str:
    return f"[red]{number:,.0f}{unit}[/]" if number else f"0{unit}"
