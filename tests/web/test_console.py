"""The console: its files, how they are served, and that they are what its sources build."""

import gzip
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from tools.openapi_document import document

from tests.web.support import Client, FakeUseCases, served
from trade_service.web.dependencies import WebSettings

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "console"
BUNDLE = ROOT / "src/trade_service/web/console"
MAX_COMPRESSED_BYTES = 150_000
BUILD_TIMEOUT_S = 120
STALE = "run `make console` and commit what it changes"


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[Client]:
    async with served(FakeUseCases().services(), WebSettings()) as client:
        yield client


async def fetch(client: Client, path: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    url = client.url + path
    async with client.session.get(
        url, headers=headers, allow_redirects=False, auto_decompress=False
    ) as found:
        return found.status, found.headers, await found.read()


async def test_every_page_and_every_file_is_served_under_a_strict_policy(client: Client) -> None:
    status, headers, page = await fetch(client, "/console/", **{"Accept-Encoding": "identity"})
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert headers["Cache-Control"] == "no-cache"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert "http" not in policy
    deep = await fetch(client, "/console/executions?state=unknown", **{"Accept-Encoding": "identity"})
    assert deep[2] == page
    assert b"<style" not in page
    assert not re.search(rb"<script(?![^>]*src=)|\son\w+=|style=", page)
    wanted = re.findall(rb'(?:src|href)="\./([^"]+)"', page)
    assert len(wanted) >= 2
    for name in wanted:
        status, headers, body = await fetch(
            client, f"/console/{name.decode()}", **{"Accept-Encoding": "gzip"}
        )
        assert status == 200
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert gzip.decompress(body) == (BUNDLE / name.decode()).read_bytes()


async def test_a_browser_that_has_a_file_gets_no_second_copy(client: Client) -> None:
    _, headers, _ = await fetch(client, "/console/")
    status, again, body = await fetch(client, "/console/", **{"If-None-Match": headers["ETag"]})
    assert (status, body, again["ETag"]) == (304, b"", headers["ETag"])
    assert (await fetch(client, "/console/", **{"If-None-Match": '"other"'}))[0] == 200


@pytest.mark.parametrize("name", ["nothing.js", "..%2Findex.html", "%2e%2e%2f%2e%2e%2fapp.py"])
async def test_only_files_of_the_bundle_are_served(client: Client, name: str) -> None:
    status, headers, _ = await fetch(client, f"/console/assets/{name}")
    assert (status, headers["Cache-Control"]) == (404, "no-store")


@pytest.mark.parametrize(
    ("path", "accept", "leads_to"),
    [
        ("/", "text/html,application/xhtml+xml", "/console/"),
        ("/", "*/*", "/schema/openapi.json"),
        ("/console", "text/html", "/console/"),
    ],
)
async def test_the_root_leads_on(client: Client, path: str, accept: str, leads_to: str) -> None:
    status, headers, _ = await fetch(client, path, Accept=accept)
    assert (status, headers["Location"]) == (307, leads_to)


def test_the_bundle_is_small_and_its_files_are_named_by_their_content() -> None:
    found = [path for path in BUNDLE.rglob("*") if path.is_file()]
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in found) < MAX_COMPRESSED_BYTES
    unhashed = [path.name for path in found if not re.fullmatch(r"[\w-]+-[\w-]{8}\.(js|css)", path.name)]
    assert unhashed == ["index.html"]


def test_the_lock_file_names_no_host() -> None:
    lock = (SOURCES / "package-lock.json").read_text("utf-8")
    assert '"resolved"' not in lock
    assert '"integrity"' in lock


needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (SOURCES / "node_modules").exists(),
    reason="Node or console/node_modules is missing: `make console-test` installs what the console needs",
)


@needs_node
def test_the_committed_bundle_is_what_the_sources_build(tmp_path: Path) -> None:
    command = ["npx", "--no-install", "vite", "build", "--logLevel", "error", "--outDir", str(tmp_path)]
    subprocess.run(command, cwd=SOURCES, check=True, timeout=BUILD_TIMEOUT_S)
    built, kept = (
        {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path, BUNDLE)
    )
    assert built.keys() == kept.keys(), STALE
    assert built == kept, STALE


@needs_node
def test_the_types_are_those_of_the_api(tmp_path: Path) -> None:
    kept = SOURCES / "src/api/schema.d.ts"
    made = tmp_path / "schema.d.ts"
    command = ["node", "scripts/types.mjs", str(made)]
    subprocess.run(command, cwd=SOURCES, input=document(), check=True, timeout=BUILD_TIMEOUT_S)
    assert made.read_text("utf-8") == kept.read_text("utf-8"), STALE
