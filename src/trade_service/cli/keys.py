"""`trade-service keys`: creates, lists, rotates and revokes API keys."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import rich_click as click
from rich.text import Text

from trade_service.bootstrap.running import prepared_database
from trade_service.cli.running import (
    CommandError,
    config_option,
    json_option,
    print_json,
    result_console,
    result_table,
    run_on,
    say,
)
from trade_service.domain.access import GIVEN_ROLES, ApiKey, Role
from trade_service.identity.api_keys import NewKey, make_key
from trade_service.store.database import Database
from trade_service.store.key_store import PostgresKeys

ROLES = [role.title for role in GIVEN_ROLES]
MAX_NAME_CHARS = 60
MAX_LABEL_CHARS = 100
MAX_LIFETIME = timedelta(days=3650)
MAX_OVERLAP = timedelta(days=365)
_WIDTH = 160
_SPAN = re.compile(r"([0-9]{1,6})(d|h|min)")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "min": timedelta(minutes=1)}


class Span(click.ParamType[timedelta]):
    """A length of time such as 7d, 12h or 30min."""

    name = "SPAN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        parts = _SPAN.fullmatch(value)
        span = int(parts[1]) * _UNITS[parts[2]] if parts else None
        if span is None or span > MAX_OVERLAP:
            self.fail(
                f"must be such as 7d, 12h or 30min, at most {MAX_OVERLAP.days}d; got {value!r}", param, ctx
            )
        return span


class Expiry(click.ParamType[datetime]):
    """A moment in the future: a date or time (UTC unless it has an offset), or a length of time from now."""

    name = "WHEN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        now = datetime.now(UTC)
        try:
            parts = _SPAN.fullmatch(value)
            at = now + int(parts[1]) * _UNITS[parts[2]] if parts else datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(f"must be such as 90d, 2027-06-30 or 2027-06-30T18:00Z; got {value!r}", param, ctx)
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        if not now < at <= now + MAX_LIFETIME:
            self.fail(
                f"must be in the future, at most {MAX_LIFETIME.days}d from now; got {value!r}", param, ctx
            )
        return at


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def keys() -> None:
    """Create, list, rotate and revoke API keys (auth.mode api-key)."""


@keys.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="Role that the key grants.")
@click.option("--label", help="What the key is for, in your words.")
@click.option(
    "--expires",
    "expires_at",
    type=Expiry(),
    help="When it ends, such as 90d or 2027-06-30.  [default: never]",
)
@json_option
@config_option
def create(
    *,
    name: str,
    role: str,
    label: str | None,
    expires_at: datetime | None,
    as_json: bool,
    toml_path: Path | None,
) -> None:
    """Create a key for NAME and print it. It is not stored and cannot be shown again."""
    _check_text("name", name, MAX_NAME_CHARS)
    if label is not None:
        _check_text("label", label, MAX_LABEL_CHARS)
    new = make_key(name, Role[role.upper()], label, expires_at)
    run_on(prepared_database, toml_path, lambda database: PostgresKeys(database).add(new.key))
    if as_json:
        print_json({**_for_programs(new.key), "key": new.text})
    else:
        _print_new(new)


@keys.command()
@click.argument("name")
@click.option(
    "--overlap",
    type=Span(),
    default="7d",
    show_default=True,
    help="How long the old key still works beside the new one; 0d ends it at once.",
)
@click.option(
    "--expires",
    "expires_at",
    type=Expiry(),
    help="When the new key ends.  [default: after as long as the old key was given, if it expires]",
)
@json_option
@config_option
def rotate(
    *, name: str, overlap: timedelta, expires_at: datetime | None, as_json: bool, toml_path: Path | None
) -> None:
    """Replace the key of NAME: print a new one of the same name, role and label, and end the old one."""

    async def replace(database: Database) -> tuple[NewKey, ApiKey]:
        store = PostgresKeys(database)
        old = await store.current(name)
        new = make_key(name, old.role, old.label, expires_at or _same_lifetime(old))
        return new, await store.rotate(old, new.key, overlap.total_seconds())

    new, old = run_on(prepared_database, toml_path, replace)
    if as_json:
        print_json({**_for_programs(new.key), "key": new.text, "old": _for_programs(old)})
        return
    _print_new(new)
    say(f"The old key {old.id} ends at {_moment(old.expires_at)} UTC.")


@keys.command(name="list")
@json_option
@config_option
def list_keys(*, as_json: bool, toml_path: Path | None) -> None:
    """List all keys, including those that ended."""
    found = run_on(prepared_database, toml_path, lambda database: PostgresKeys(database).all())
    if as_json:
        print_json([_for_programs(key) for key in found])
        return
    table = result_table(
        None, "id", "name", "role", "label", "created", "expires", "last used", "replaced by", "revoked"
    )
    for key in found:
        cells = (
            key.id,
            key.name,
            key.role.title,
            key.label or "",
            _moment(key.created_at),
            _moment(key.expires_at),
            _moment(key.last_used_at),
            key.replaced_by or "",
            _moment(key.revoked_at),
        )
        table.add_row(*map(Text, cells), style="dim" if key.has_ended else None)
    result_console(_WIDTH).print(table)


@keys.command()
@click.argument("which", metavar="NAME_OR_ID")
@json_option
@config_option
def revoke(which: str, *, as_json: bool, toml_path: Path | None) -> None:
    """Revoke a key, or all keys of a name. Every replica refuses it after at most auth.api_key_max_age_s."""
    revoked = run_on(prepared_database, toml_path, lambda database: PostgresKeys(database).revoke(which))
    if as_json:
        print_json([_for_programs(key) for key in revoked])
        return
    for key in revoked:
        click.echo(f"Revoked key {key.id} of {key.name}.")


def _check_text(what: str, text: str, most: int) -> None:
    if not (text.isprintable() and text.strip() == text and 1 <= len(text) <= most):
        raise CommandError(f"the {what} must be 1 to {most} printable characters, got {text[:80]!r}")


def _print_new(new: NewKey) -> None:
    key = new.key
    ends = "" if key.expires_at is None else f", until {_moment(key.expires_at)} UTC"
    say(f"Key {key.id} for {key.name}, role {key.role.title}{ends}. It is shown only once:")
    click.echo(new.text)


def _same_lifetime(old: ApiKey) -> datetime | None:
    if old.expires_at is None or old.created_at is None:
        return None
    return datetime.now(UTC) + (old.expires_at - old.created_at)


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _for_programs(key: ApiKey) -> dict[str, object]:
    """Everything but the digest."""
    facts = {**key._asdict(), "role": key.role.title}
    del facts["digest"]
    return facts
