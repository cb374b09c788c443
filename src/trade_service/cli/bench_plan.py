"""What a run of `trade-service bench` is going to do, checked before it does anything."""

import datetime
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from trade_service.bench.effort import Effort
from trade_service.bench.stage import Target
from trade_service.cli.running import CommandError
from trade_service.masking import mask_url

LOAD = "load"


class Plan(msgspec.Struct, frozen=True):
    """What is measured, against what, and where the results go."""

    effort: Effort
    scenarios: tuple[str, ...]
    output: Path | None
    database_url: str | None
    target: Target

    def stem(self, now: datetime.datetime) -> Path:
        """Path of the results without a suffix."""
        return self.output or Path(f"bench-{now:%Y%m%d-%H%M%S}")

    @property
    def downstream(self) -> str:
        """What the executions are sent to, for the report."""
        if self.target.service_url is not None:
            return f"that of {mask_url(self.target.service_url)}"
        given = self.target.execution_service_url
        return "stand-in" if given is None else mask_url(given)


def is_here(url: str) -> bool:
    """Whether a URL leads to this machine alone. A URL without a host does not."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_plan(plan: Plan) -> str:
    """The question to ask before the run; empty where nothing is touched but what the run starts itself.

    Raises CommandError for a plan that cannot be.
    """
    target = plan.target
    if target.service_url is not None and (plan.database_url or target.execution_service_url):
        raise CommandError(
            "--url measures a service with a database and an Execution Service of its own: give it alone"
        )
    if target.service_url is not None and plan.scenarios != (LOAD,):
        raise CommandError(f"--url: a service that runs can only be measured with --only {LOAD}")
    if plan.output is not None and not plan.output.absolute().parent.is_dir():
        raise CommandError(f"--output: there is no folder {plan.output.absolute().parent}")
    return " ".join(_warnings(plan))


def _warnings(plan: Plan) -> Iterable[str]:
    target = plan.target
    if target.service_url is not None:
        yield f"Orders are created at {mask_url(target.service_url)} and submitted from there, up to its overload."
    if target.execution_service_url is not None:
        yield (
            f"Tens of thousands of executions are sent to {mask_url(target.execution_service_url)}, which may "
            "trade them."
        )
    if plan.database_url is not None and not is_here(plan.database_url):
        yield f"Databases are made, filled and dropped at {mask_url(plan.database_url)}."
