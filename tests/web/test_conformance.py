"""schemathesis calls everything in the service's OpenAPI document, with valid and invalid requests."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.support.database import TestServer
from tests.web.live import Live, live_alone
from trade_service.domain.access import Role
from trade_service.identity.api_keys import make_key
from trade_service.identity.auth_settings import AuthSettings

HERE = Path(__file__).parent
KEYS = AuthSettings(mode="api-key", api_key_max_age_s=0.0)
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "1"))
"""Examples of each operation; `make checks-short` and `make fuzz` have more."""
PHASES = os.environ.get("FUZZ_PHASES", "examples,fuzzing")
SEEDS = int(os.environ.get("FUZZ_SEEDS", "1"))
"""Rounds of calls along the document's links; `make checks-short` and `make fuzz` have more."""
SCENARIOS = 30
"""Sequences of a seed, at most: what follows depends on answers, which change as the database fills, and
schemathesis 4 ends its stateful phase, without a word and as passed, once a repeated sequence goes another way.
Many short rounds come further than one long one."""


@pytest.mark.long
async def test_every_answer_is_as_the_description_says(
    postgres: TestServer, template_database: str, tmp_path: Path
) -> None:
    """An operator may call everything; without the key each operation must be refused."""
    async with live_alone(postgres, template_database, auth=KEYS) as live:
        key = await prepare(live)
        options = ("--phases", PHASES, "--max-examples", str(EXAMPLES), "--generation-deterministic")
        await ask_everything(live, tmp_path, (*options, *key), 900 + 60 * EXAMPLES)
        await live.accounts_agree()


@pytest.mark.parametrize("role", [Role.READER, Role.TRADER], ids=lambda role: role.title)
async def test_lesser_roles_get_the_refusals_of_the_description(
    postgres: TestServer, template_database: str, tmp_path: Path, role: Role
) -> None:
    async with live_alone(postgres, template_database, auth=KEYS) as live:
        await prepare(live)
        options = ("--phases", "fuzzing", "--max-examples", "1", "--generation-deterministic")
        refused = ("--exclude-checks", "positive_data_acceptance")
        await ask_everything(live, tmp_path, (*options, *refused, *await key_of(live, role)), 900)
        await live.accounts_agree()


@pytest.mark.long
async def test_what_follows_an_answer_is_as_the_description_says(
    postgres: TestServer, template_database: str, tmp_path: Path
) -> None:
    """Created rows exist, deleted ones do not, and every link works."""
    async with live_alone(postgres, template_database, auth=KEYS) as live:
        key = await prepare(live)
        for seed in range(1, SEEDS + 1):
            options = ("--phases", "stateful", "--max-examples", str(SCENARIOS), "--seed", str(seed), *key)
            await ask_everything(live, tmp_path, options, 600)
        await live.accounts_agree()


async def prepare(live: Live) -> tuple[str, ...]:
    """Creates ten orders and sends part of each; returns the options that call as an operator."""
    options = await key_of(live, Role.OPERATOR)
    name, _, value = options[1].partition(": ")
    live.client.session.headers[name] = value
    await live.batch(*((order_id, 5) for order_id in await live.orders(10, quantity=1000)))
    return options


async def key_of(live: Live, role: Role) -> tuple[str, ...]:
    """The options that call with a new key of this role."""
    new = make_key(role.title, role)
    await live.services.api_keys.add(new.key)
    return "--header", f"X-API-Key: {new.text}"


async def ask_everything(live: Live, folder: Path, options: tuple[str, ...], timeout_s: float) -> None:
    """Runs schemathesis against the service, and fails with its whole output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")),
        *("run", f"{live.client.url}/schema/openapi.json", "--continue-on-failure", *options),
        cwd=folder,
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "conformance_hooks.py")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = output.decode()
    assert process.returncode == 0, text[-20_000:]
    if "stateful" not in options:
        counts = re.search(r"Selected: (\d+)/(\d+)\s+Tested: (\d+)", text)
        assert counts, text
        assert len(set(counts.groups())) == 1, f"not every operation was called:\n{text}"
