"""Every route declares a role, and serves only that role and those above it."""

import re
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any, cast

import msgspec
import pytest
from litestar import Litestar, Router, get

from tests.web.support import Client, FakeUseCases, listening, served
from trade_service.bootstrap.web import web_settings
from trade_service.domain.access import (
    GIVEN_ROLES,
    CredentialsNotCheckable,
    NotAuthenticated,
    Principal,
    Role,
)
from trade_service.domain.errors import NotFound
from trade_service.identity.auth_settings import AuthSettings
from trade_service.observability.telemetry_settings import MetricsSettings
from trade_service.settings.tree import Settings
from trade_service.trading.editors import Editors
from trade_service.web.access import READER, UndeclaredRole, check_roles, declared_roles
from trade_service.web.app import create_app
from trade_service.web.dependencies import WebSettings
from trade_service.web.errors import RequestRefused
from trade_service.web.hosts import AllowedOrigins
from trade_service.web.web_settings import RateLimitSettings, ServerSettings

ORDER = "/api/v1/tradeOrders/7"
NAMES = {role.title: role for role in GIVEN_ROLES}
SAFE = {"GET", "HEAD", "OPTIONS"}


class NamedRoles:
    """Takes the name of a role as the credential of a caller with that role."""

    async def principal(self, credential: str | None) -> Principal:
        if credential == "away":
            raise CredentialsNotCheckable("the keys cannot be read")
        if credential not in NAMES:
            raise NotAuthenticated("no such key")
        return Principal(f"a {credential}", NAMES[credential])


class Nothing:
    """Any use case, which finds nothing: traces in the log would take most of the time."""

    def __getattr__(self, name: str) -> Any:
        async def nothing(*_: object, **__: object) -> None:
            raise NotFound.of("thing", 7)

        return nothing


@pytest.fixture(scope="module")
async def app() -> Litestar:
    fakes = FakeUseCases()
    fakes.failure = NotFound.of("thing", 7)
    nothing = cast(Any, Nothing())
    services = msgspec.structs.replace(
        fakes.services(),
        bulk_submissions=nothing,
        editors=Editors(nothing, nothing, nothing),
        operators=nothing,
        pauses=nothing,
        lists=nothing,
        overview=nothing,
        audits=nothing,
        keys=nothing,
        authenticator=NamedRoles(),
        settings=WebSettings(
            server=ServerSettings(cors_allow_origins=("https://portal.example",), allowed_hosts=("trade",))
        ),
    )
    return create_app(services)


@pytest.fixture(scope="module")
async def client(app: Litestar) -> AsyncIterator[Client]:
    async with listening(app) as client:
        yield client


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


async def status_of(client: Client, method: str, path: str, credential: str | None) -> int:
    """The status without the body, which may have no end."""
    headers = {} if credential is None else bearer(credential)
    async with client.session.request(method, client.url + path, headers=headers) as response:
        return response.status


async def test_every_route_is_open_to_its_role_and_no_other(app: Litestar, client: Client) -> None:
    routes = list(declared_roles(app))
    assert len(routes) > 20
    for method, template, needed in routes:
        path = re.sub(r"\{[^}]*\}", "7", template)
        assert needed is not None, f"{method} {template} declares no role"
        for credential, role in [(None, Role.ANYONE), *NAMES.items()]:
            status = await status_of(client, method, path, credential)
            refused = (401 if credential is None else 403) if role < needed else None
            place = f"{method} {template} as {credential or 'no one'}"
            if refused is None:
                assert status not in (401, 403), place
            else:
                assert status == refused, place


async def test_no_answer_is_kept_or_taken_for_another_type(app: Litestar, client: Client) -> None:
    places = [
        (method, re.sub(r"\{[^}]*\}", "7", path))
        for method, path, _ in declared_roles(app)
        if not path.startswith("/console")  # Its files hold no data.
    ]
    preflight = {"Origin": "https://portal.example", "Access-Control-Request-Method": "POST"}
    calls: list[tuple[str, str, dict[str, str]]] = [
        *((method, path, headers) for method, path in places for headers in ({}, bearer("operator"))),
        ("GET", "/nothing", {}),
        ("PATCH", ORDER, {}),
        ("OPTIONS", ORDER, preflight),
    ]
    for method, path, headers in calls:
        async with client.session.request(method, client.url + path, headers=headers) as response:
            found = [
                response.headers.getall(name, []) for name in ("Cache-Control", "X-Content-Type-Options")
            ]
        assert found == [["no-store"], ["nosniff"]], f"{method} {path}: {response.status}"


def test_what_changes_anything_needs_a_trader(app: Litestar) -> None:
    lax = [
        f"{method} {path}"
        for method, path, role in declared_roles(app)
        if method not in SAFE and (role is None or role < Role.TRADER)
    ]
    assert not lax, f"declare opt=TRADER or opt=OPERATOR for {lax}"


def test_a_route_without_a_role_is_not_served() -> None:
    async def read() -> None: ...

    bare = Litestar([get("/thing")(read)], openapi_config=None)
    with pytest.raises(UndeclaredRole, match=r"GET /thing: give the handler or its router one of opt=ANYONE"):
        check_roles(bare)
    by_router = Router("/", route_handlers=[get("/thing")(read)], opt=READER)
    check_roles(Litestar([by_router], openapi_config=None))


async def test_an_anonymous_caller_gets_a_challenge(client: Client) -> None:
    answer = await client.get(ORDER)
    assert (answer.status, answer.body["code"]) == (401, "NOT_AUTHENTICATED")
    assert answer.headers["www-authenticate"] == 'Bearer realm="trade-service"'
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_role_that_lacks_is_named(client: Client) -> None:
    answer = await client.post(f"{ORDER}/submit", headers=bearer("reader"))
    assert (answer.status, answer.body["code"]) == (403, "NOT_PERMITTED")
    assert answer.body["message"] == "this needs the role trader; a reader has reader"
    assert answer.body["details"] == {"needed": "trader", "role": "reader"}


async def test_a_bulk_is_refused_with_the_same_statuses(client: Client) -> None:
    path = "/api/v1/tradeOrders/bulk"
    assert (await client.post(path)).status == 401
    answer = await client.post(path, headers=bearer("reader"))
    assert (answer.status, answer.body["status"]) == (403, "FAILURE")


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Authorization": "Basic dTpw"}, "Authorization: must be Bearer, followed by the key or token"),
        ({"Authorization": "Bearer "}, "Authorization: must be Bearer, followed by the key or token"),
        ({"Authorization": "Bearer x"}, "no such key"),
        (
            {"Authorization": "Bearer reader", "X-API-Key": "reader"},
            "give one credential: Authorization or X-API-Key, once",
        ),
    ],
)
async def test_other_credentials_are_refused(client: Client, headers: dict[str, str], message: str) -> None:
    answer = await client.get(ORDER, headers=headers)
    assert (answer.status, answer.body["message"]) == (401, message)


async def test_a_key_comes_in_a_header_of_its_own_too(client: Client) -> None:
    assert (await client.get(ORDER, headers={"X-API-Key": "reader"})).status == 404


async def test_credentials_that_cannot_be_checked_are_no_refusal(client: Client) -> None:
    answer = await client.get(ORDER, headers=bearer("away"))
    assert (answer.status, answer.body["code"]) == (503, "CREDENTIALS_NOT_CHECKABLE")
    assert answer.headers["retry-after"] == "2"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://portal.example", 404),
        ("https://elsewhere.example", 403),
        ("https://portal.example.evil.example", 403),
        ("null", 403),
    ],
)
async def test_pages_from_elsewhere_change_nothing(client: Client, origin: str, status: int) -> None:
    """Browsers send a POST without a body or with plain text without a preflight request."""
    for content_type in ("text/plain", "application/json"):
        headers = {"Origin": origin, "Content-Type": content_type, **bearer("trader")}
        answer = await client.post("/api/v1/execution/7/submit", headers=headers)
        assert answer.status == status, answer.raw
        assert (answer.body["code"] == "ORIGIN_NOT_ALLOWED") == (status == 403)
    assert (await client.get(ORDER, headers={"Origin": origin, **bearer("reader")})).status == 404
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    asking = await client.call("OPTIONS", f"{ORDER}/submit", headers=asked)
    allowed = asking.headers.get("access-control-allow-origin")
    assert allowed == (origin if status == 404 else None)


async def test_an_origin_is_not_allowed_for_being_the_host(client: Client) -> None:
    """A page can have its own host name lead here."""
    headers = {"Origin": "http://trade:8082", "Host": "trade:8082", **bearer("trader")}
    assert (await client.post("/api/v1/execution/7/submit", headers=headers)).status == 403


@pytest.mark.parametrize(
    "path", [ORDER, "/api/v1/tradeOrders?limit=1", "/schema/openapi.json", "/actuator/info"]
)
async def test_a_request_to_another_host_is_misdirected(client: Client, path: str) -> None:
    for host in ("evil.example", "evil.example:8082", "localhost.evil.example", ""):
        answer = await client.get(path, headers={"Host": host, **bearer("reader")})
        assert (answer.status, answer.body["code"]) == (421, "HOST_NOT_ALLOWED"), host
    for host in ("localhost", "LOCALHOST:8082", "127.0.0.1:1", "[::1]:8082", "trade:8082"):
        assert (await client.get(path, headers={"Host": host, **bearer("reader")})).status != 421, host


async def test_probes_may_name_any_host(client: Client) -> None:
    assert (await client.get("/actuator/health/liveness", headers={"Host": "10.1.2.3:8082"})).status == 200


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:3000", True),
        ("https://127.0.0.1", True),
        ("http://[::1]:8082", True),
        ("http://localhost.evil.example", False),
        ("http://rebound.example:8082", False),
        ("null", False),
    ],
)
def test_without_a_choice_pages_of_this_machine_may_call(origin: str, allowed: bool) -> None:
    origins = AllowedOrigins(None)
    with nullcontext() if allowed else pytest.raises(RequestRefused, match="cors_allow_origins"):
        origins.check(origin)
    assert origins.cors([]).is_origin_allowed(origin) is allowed
    AllowedOrigins(("*",)).check(origin)


@pytest.mark.parametrize(
    ("host", "mode", "given", "wanted"),
    [
        ("127.0.0.1", None, None, None),
        ("127.0.0.1", "none", None, None),
        ("127.0.0.1", "jwt", None, ("*",)),
        ("0.0.0.0", "none", None, ("*",)),
        ("0.0.0.0", "api-key", None, ("*",)),
        ("127.0.0.1", None, ("*",), ("*",)),
        ("127.0.0.1", "none", ("https://a",), ("https://a",)),
    ],
)
def test_every_page_may_call_except_where_nobody_authenticates_on_this_machine(
    host: str, mode: Any, given: tuple[str, ...] | None, wanted: tuple[str, ...] | None
) -> None:
    server = ServerSettings(host=host, cors_allow_origins=given)
    settings = web_settings(Settings(server=server, auth=AuthSettings(mode=mode)))
    assert settings.server.cors_allow_origins == wanted
    assert settings.server.allowed_hosts == (() if host == "127.0.0.1" else None)


@pytest.mark.parametrize(
    ("settings", "role"),
    [
        (MetricsSettings(), Role.READER),
        (MetricsSettings(public=True), Role.ANYONE),
        (MetricsSettings(role="operator"), Role.OPERATOR),
    ],
)
def test_metrics_are_for_readers_unless_the_settings_open_them(settings: MetricsSettings, role: Role) -> None:
    assert web_settings(Settings(metrics=settings)).metrics_role is role


async def test_what_the_execution_service_calls_is_never_limited() -> None:
    services = msgspec.structs.replace(FakeUseCases().services(), authenticator=NamedRoles())
    limits = RateLimitSettings(requests_per_s=0.001, burst=3)
    fill = {"executionStatus": "PART", "quantityFilled": 1, "version": 1}
    async with served(services, WebSettings(rate_limit=limits)) as client:
        for _ in range(5):
            assert (await client.get("/api/v1/executions/9", headers=bearer("trader"))).status == 200
            answer = await client.put("/api/v1/executions/9/fill", fill, headers=bearer("trader"))
            assert answer.status == 200
        for role in ("trader", "reader"):
            answers = [await client.get(ORDER, headers=bearer(role)) for _ in range(4)]
            assert [answer.status for answer in answers] == [200, 200, 200, 429]
        answer = await client.get("/api/v1/executions/9", headers=bearer("reader"))
        assert answer.status == 429, "who may not report fills is not the Execution Service"


async def test_probes_ask_for_nothing(client: Client) -> None:
    assert (await client.get("/actuator/health/liveness", headers=bearer("nonsense"))).status == 200


async def test_an_unknown_address_answers_as_everywhere(client: Client) -> None:
    answer = await client.get("/schema/nothing")
    assert (answer.status, answer.body["code"]) == (404, "NO_SUCH_ADDRESS")


@pytest.mark.parametrize("role", NAMES)
async def test_a_caller_may_ask_who_it_is(client: Client, role: str) -> None:
    answer = await client.get("/api/v2/me", headers=bearer(role))
    body = answer.body
    assert (answer.status, body["name"], body["openMode"]) == (200, f"a {role}", False)
    assert body["roles"] == list(NAMES)[: list(NAMES).index(role) + 1]
    assert body["serviceName"] == "trade-service"


async def test_in_open_mode_everybody_is_an_operator() -> None:
    async with served(FakeUseCases().services(), WebSettings()) as client:
        body = (await client.get("/api/v2/me")).body
    assert (body["name"], body["roles"], body["authentication"], body["openMode"]) == (
        "", list(NAMES), "none", True,
    )  # fmt: skip
