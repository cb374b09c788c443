"""/api/v2/pauses, pause and resume: operators stop sending, to all destinations or to one, and resume it."""

from typing import Annotated

import msgspec
from litestar import Controller, Response
from litestar.params import JSONBody
from msgspec import Meta

from trade_service.domain.fields import Moment, visible
from trade_service.trading.pausing import Pause, PauseEffect, PauseOrder, UnsentCounts
from trade_service.web.access import OPERATOR, READER, get, post, principal_of
from trade_service.web.dependencies import Services
from trade_service.web.responses import ApiResponse
from trade_service.web.routing import HttpRequest


class PausePost(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What to pause or resume, and why. Unknown names are refused: a misspelled `destination` would stop all."""

    reason: str
    destination: Annotated[str, Meta(max_length=20)] | None = None
    """The abbreviation of a destination; null or left out: all of them."""
    operator: str = ""
    """Who does it, where the service does not authenticate callers."""
    dry_run: bool = False

    def to_domain(self, request: HttpRequest) -> PauseOrder:
        actor = principal_of(request.scope) or visible(self.operator, "operator")
        return PauseOrder(self.destination, actor, self.reason, self.dry_run)


class PausedDestination(msgspec.Struct, frozen=True):
    """A destination that is paused."""

    id: int
    abbreviation: str


class PauseAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A pause that is in force."""

    id: int
    destination: PausedDestination | None
    """null: all destinations."""
    reason: str
    paused_by: str
    paused_at: Moment
    waiting: int
    """Executions that wait to be sent, counted among the first 2,000 open attempts."""

    @classmethod
    def of(cls, pause: Pause, waiting: UnsentCounts) -> "PauseAnswer":
        destination = None
        if pause.destination_id is not None:
            destination = PausedDestination(pause.destination_id, pause.destination or "")
        return cls(pause.id, destination, pause.reason, pause.paused_by, pause.paused_at, waiting.waiting)


class PausesAnswer(msgspec.Struct, frozen=True):
    """All pauses, oldest first."""

    pauses: tuple[PauseAnswer, ...]


class _Effect(msgspec.Struct, frozen=True, rename="camel"):
    dry_run: bool
    destination: str | None
    """null: all destinations."""
    waiting: int
    """Executions that wait to be sent there."""
    in_flight: int
    """Executions that are being sent there: a pause does not stop these."""
    message: str


class PausedAnswer(_Effect, frozen=True, rename="camel"):
    """The pause that was made, or that a dry run would make."""

    paused: bool
    """Whether this request paused something; false also if it was paused before."""


class ResumedAnswer(_Effect, frozen=True, rename="camel"):
    """The pause that was ended, or that a dry run would end."""

    resumed: bool
    """Whether this request ended a pause."""


def _shown(order: PauseOrder, effect: PauseEffect) -> tuple[bool, str | None, int, int, str]:
    figures = effect.figures
    return order.dry_run, order.destination, figures.waiting, figures.in_flight, effect.message


class PauseController(Controller):
    """Pauses of sending. Orders and submissions are accepted all the same, and wait."""

    path = "/"
    tags = ("Operators",)

    @get("/pauses", opt=READER)
    async def pauses(self, services: Services) -> Response[PausesAnswer]:
        """Lists the pauses of sending that are in force."""
        found = await services.pauses.pauses()
        return ApiResponse(PausesAnswer(tuple(PauseAnswer.of(pause, waiting) for pause, waiting in found)))

    @post("/pause", status_code=200, opt=OPERATOR)
    async def pause(
        self, request: HttpRequest, services: Services, data: JSONBody[PausePost]
    ) -> Response[PausedAnswer]:
        """Pauses sending to all destinations or to one, on every replica, until it is resumed.

        What is being sent goes out; everything else waits, and callers get PENDING. Safe to repeat. With `dryRun`
        nothing changes.
        """
        order = data.to_domain(request)
        effect = await services.pauses.pause(order)
        return ApiResponse(PausedAnswer(*_shown(order, effect), effect.changed))

    @post("/resume", status_code=200, opt=OPERATOR)
    async def resume(
        self, request: HttpRequest, services: Services, data: JSONBody[PausePost]
    ) -> Response[ResumedAnswer]:
        """Resumes sending to all destinations or to one: each ends the pause that was made so, and no other.

        What waited is sent within seconds. Safe to repeat. With `dryRun` nothing changes.
        """
        order = data.to_domain(request)
        effect = await services.pauses.resume(order)
        return ApiResponse(ResumedAnswer(*_shown(order, effect), effect.changed))
