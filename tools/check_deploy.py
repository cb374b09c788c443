"""Checks what is in `deploy/` with the tools of each format, then builds the image and sends a batch from it.

A tool that this machine lacks is named, and the rest is checked: `make deploy-check`. With `--keep` the chart and
the image are kept in dist/, beside the package, and all are listed with their checksums: `make release`.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

import aiohttp
import psutil
import yaml  # type: ignore[import-untyped]  # it has no stubs

from tools.release import DIST, write_checksums

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm/trade-service"
MANIFESTS = DEPLOY / "kubernetes/trade-service.yaml"
UNIT = DEPLOY / "systemd/trade-service.service"
KUBERNETES = "1.31"
WORST_EXPOSURE = "20"
"""Of `systemd-analyze security`, times ten: 0 is best, 100 is unprotected."""
WRONG_VALUES = (
    "unknown=1", "replicas=-1", "replicas=two", "database.url=mysql://d", "executionService.url=",
    "auth.mode=basic", "env.my-variable=x", "env.LOG_LEVEL=5", "env.LOG_LEVEL.value=x",
    "secretFiles.PASSWORD.name=x",
    "image.pullSecrets[0].nme=x", "podDisruptionBudget.maxUnavailable=half", "serviceMonitor.interval=often",
    "terminationGracePeriodSeconds=5", "autoscaling.enabled=true,autoscaling.minReplicas=9",
)  # fmt: skip
"""Values that the chart refuses."""
LEGACY_VALUES = (
    "env.SPRING_DATASOURCE_URL=jdbc:postgresql://d:5432/trade", "env.SPRING_DATASOURCE_USERNAME=trade",
    "env.EXECUTION_SERVICE_BASE_URL=http://e:8084", "env.EXTERNAL_SECURITY_SERVICE_BASE_URL=http://s",
    "env.TRADE_SERVICE_DATABASE_MIGRATE=no", "env.MY_POD_IP.fieldRef.fieldPath=status.podIP",
    "secretFiles.SPRING_DATASOURCE_PASSWORD_FILE.name=d",
    "secretFiles.SPRING_DATASOURCE_PASSWORD_FILE.key=password",
)  # fmt: skip
"""What a deployment of the legacy service sets; it replaces the chart's own values of the same settings."""
REPLACED = {"DATABASE_URL", "DATABASE_USERNAME", "DATABASE_PASSWORD_FILE"}
OPTIONAL = ("autoscaling.enabled", "serviceMonitor.enabled", "prometheusRule.enabled")
ORDERS = 100
START_S = 120.0
STOP_S = 60.0
KEPT = "trade-service-*"
"""The chart and the image of a release, in dist/."""


class Failed(Exception):
    """A check found a fault; the message is the output of its tool."""


def run(*command: str | Path, **environment: str) -> str:
    """The standard output of a command; raises Failed with all of its output."""
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=os.environ | environment, check=False
    )
    if ended.returncode:
        raise Failed(f"{' '.join(map(str, command))}\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def rendered(*options: str) -> str:
    """The manifests that the chart makes of its default values and of `options`."""
    return run("helm", "template", "trade-service", CHART, "--kube-version", KUBERNETES, *options)


def check_dockerfile(_: Path | None) -> None:
    """Lints the Dockerfile."""
    run("hadolint", DEPLOY / "Dockerfile")


def check_compose(_: Path | None) -> None:
    """Checks the compose files against the schema of their format."""
    files = sorted((DEPLOY / "compose").glob("compose*.yaml"))
    run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", *files)


def check_chart(into: Path | None) -> None:
    """Lints the chart, and compares the plain manifests with it; packs it."""
    run("helm", "lint", "--strict", CHART)
    if rendered() != MANIFESTS.read_text("utf-8"):
        raise Failed(f"{MANIFESTS.relative_to(ROOT)} is not what the chart makes: run `make manifests`")
    for value in WRONG_VALUES:
        try:
            rendered("--set", value)
        except Failed:
            continue
        raise Failed(f"the chart takes {value}")
    given = rendered("--set", ",".join([*LEGACY_VALUES, "database.passwordSecret.name=other"]))
    for one in yaml.safe_load_all(given):
        if one["kind"] in ("Deployment", "Job"):
            (container,) = one["spec"]["template"]["spec"]["containers"]
            names = [variable["name"] for variable in container["env"]]
            if len(names) != len(set(names)) or REPLACED & set(names):
                raise Failed(f"{one['kind']}: the chart's values stand beside those given: {names}")
    if into is not None:
        run("helm", "package", CHART, "--destination", into)


def check_manifests(_: Path | None) -> None:
    """Checks the manifests, with everything switched on too, against the schemas of Kubernetes."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        options = [f"{name}=true" for name in OPTIONAL]
        file.write(rendered("--set", ",".join([*options, "database.passwordSecret.name=database"])))
        file.flush()
        for one in (MANIFESTS, Path(file.name)):
            run("kubernetes-validate", "--strict", "--version", KUBERNETES, one)


def check_unit(_: Path | None) -> None:
    """Checks the unit, without installing it, and its hardening."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, UNIT.name)
        copy.write_text(re.sub("(?m)^ExecStart=.*", "ExecStart=/bin/true", UNIT.read_text("utf-8")), "utf-8")
        said = subprocess.run(
            ("systemd-analyze", "verify", copy), capture_output=True, text=True, check=False
        )
        if said.returncode or said.stderr:
            raise Failed(said.stderr)
    run("systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={WORST_EXPOSURE}", UNIT)


def check_rules(_: Path | None) -> None:
    """Checks the alert rules."""
    run("promtool", "check", "rules", DEPLOY / "prometheus/alerts.yml")


def check_image(into: Path | None) -> None:
    """Builds the image on a Debian base made here, runs it as its user, submits a batch and stops it; keeps it."""
    with tempfile.TemporaryDirectory(prefix="trade-service-image-") as folder:
        Path(folder).chmod(0o755)
        command, container = _built(Path(folder))
        asyncio.run(_sends_a_batch(Path(folder), [*command, *_IN_CHROOT], container))
        if into is not None:
            run(
                *command,
                "push",
                "--quiet",
                "trade-service",
                f"docker-archive:{into / 'trade-service-image.tar'}",
            )


_IN_CHROOT = ("run", "--isolation", "chroot")


def _built(folder: Path) -> tuple[list[str], str]:
    """Builds the image; returns the command that manages it, and a container."""
    base, certificates = folder / "base.tar", folder / "certificates.crt"
    certificates.write_bytes(Path("/etc/ssl/certs/ca-certificates.crt").read_bytes())
    settings = folder / "pip.conf"
    settings.write_text("[global]\ncert = /run/certificates.crt\n", "utf-8")
    buildah = ("buildah", "--storage-driver", "vfs", "--root", folder / "root", "--runroot", folder / "run")
    run("mmdebstrap", "--quiet", "--variant=minbase", "bookworm", base)
    container = run(*buildah, "from", "scratch").strip()
    run(*buildah, "add", "--quiet", container, base, "/")
    run(*buildah, "commit", "--quiet", "--rm", container, "debian:bookworm-slim")
    run(
        *buildah, "build", "--isolation", "chroot", "--format", "docker", "--pull-never",
        "--volume", f"{certificates}:/run/certificates.crt:ro", "--volume", f"{settings}:/etc/pip.conf:ro",
        "--file", "deploy/Dockerfile", "--tag", "trade-service", ".",
    )  # fmt: skip
    container = run(*buildah, "from", "--pull-never", "trade-service").strip()
    return [*map(str, buildah)], container


async def _sends_a_batch(folder: Path, run_command: list[str], container: str) -> None:
    service = [sys.executable, "-m", "trade_service.cli.main"]
    local = os.environ | {"TRADE_SERVICE_DATABASE_DATA_DIR": str(folder / "database")}
    # Without a namespace of its own, `tini` is not process 1: -s has it reap as if it were.
    entry = [container, "--", "tini", "-s", "--", "trade-service"]
    simulate = [*run_command, *entry, "simulate", "--port", "0", "--fresh"]
    async with (
        _started([*service, "db", "start"], "DATABASE_URL=", local) as database,
        _reachable(database.removeprefix("DATABASE_URL=")) as database_url,
        _started(simulate, "http://") as simulator,
        _started(
            [
                *run_command, "--env", f"DATABASE_URL={database_url}",
                "--env", f"EXECUTION_SERVICE_BASE_URL={_url(simulator)}",
                "--env", "TRADE_SERVICE_AUTH_MODE=none", "--env", "TRADE_SERVICE_SERVER_PORT=0",
                *entry, "serve",
            ],
            "Serving on",
        ) as serving,
        aiohttp.ClientSession(_url(serving).replace("0.0.0.0", "127.0.0.1")) as client,
    ):  # fmt: skip
        await _submit(client)


async def _submit(client: aiohttp.ClientSession) -> None:
    orders = [
        {
            "orderId": n,
            "portfolioId": "P" * 24,
            "orderType": "BUY",
            "securityId": "S" * 24,
            "quantity": 100,
        }
        for n in range(1, ORDERS + 1)
    ]
    async with client.post("/api/v2/tradeOrders/batch/create", json={"tradeOrders": orders}) as answer:
        created = await answer.json()
        if answer.status != 201:
            raise Failed(f"orders were not created: {answer.status} {created}")
    submissions = [
        {"tradeOrderId": one["tradeOrder"]["id"], "quantity": 100, "destinationId": 1}
        for one in created["results"]
    ]
    async with client.post("/api/v1/tradeOrders/batch/submit", json={"submissions": submissions}) as answer:
        sent = await answer.json()
        if answer.status != 200 or sent["successful"] != ORDERS:
            raise Failed(f"the batch was not sent: {answer.status} {sent}")


@asynccontextmanager
async def _reachable(url: str) -> AsyncIterator[str]:
    """The embedded PostgreSQL under an address of TCP: only its owner may use the folder with its socket."""
    place = parse_qs(urlsplit(url).query)
    path = f"{place['host'][0]}/.s.PGSQL.{place['port'][0]}"

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(path)
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(reader, server_writer))
            group.create_task(_copy(server_reader, writer))

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield urlunsplit(urlsplit(url)._replace(netloc=f"{urlsplit(url).netloc}127.0.0.1:{port}", query=""))
    finally:
        server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


def _url(line: str) -> str:
    return next(word for word in line.split() if word.startswith("http://")).rstrip(";,")


@asynccontextmanager
async def _started(
    command: list[str], announced: str, environment: dict[str, str] | None = None
) -> AsyncIterator[str]:
    """Runs a command until the block ends, then stops it in order; yields the line by which it says it is ready.

    Raises Failed if it does not get ready, or does not end with code 0.
    """
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env=environment, start_new_session=True
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            while announced not in (line := (await process.stdout.readline()).decode()):
                if not line:
                    raise Failed(f"{' '.join(command)} ended before it was ready")
        yield line.strip()
        _first_process(process.pid).terminate()
        async with asyncio.timeout(STOP_S):
            code = await process.wait()
        if code:
            raise Failed(f"{' '.join(command)} ended with code {code} after SIGTERM")
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _first_process(pid: int) -> psutil.Process:
    """Of a container that a process runs, the one that gets its SIGTERM; else that process."""
    process = psutil.Process(pid)
    below = [one for one in process.children(recursive=True) if one.name() == "tini"]
    return below[0] if below else process


CHECKS: dict[Callable[[Path | None], None], tuple[str, ...]] = {
    check_dockerfile: ("hadolint",),
    check_compose: ("check-jsonschema",),
    check_chart: ("helm",),
    check_manifests: ("helm", "kubernetes-validate"),
    check_unit: ("systemd-analyze",),
    check_rules: ("promtool",),
    check_image: ("mmdebstrap", "buildah"),
}
"""Each check, and the tools that it needs."""


def main() -> int:
    """Runs every check whose tools are there; returns the exit code."""
    into = DIST if "--keep" in sys.argv[1:] else None
    for stale in DIST.glob(KEPT) if into else ():
        stale.unlink()
    failed = False
    for check, tools in CHECKS.items():
        name = check.__name__.removeprefix("check_")
        missing = [tool for tool in tools if shutil.which(tool) is None]
        if missing:
            print(f"{name}: left out, {' and '.join(missing)} not found", flush=True)
            continue
        try:
            check(into)
        except Failed as failure:
            failed = True
            print(f"{name}: failed\n{failure}", flush=True)
        else:
            print(f"{name}: good", flush=True)
    if into is not None:
        write_checksums(*sorted(DIST.glob(KEPT)))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
