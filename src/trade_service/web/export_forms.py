"""The forms of exports, and the one that a request prefers."""

from collections.abc import Sequence
from enum import StrEnum

from trade_service.web.routing import HttpRequest


class ExportForm(StrEnum):
    """The media types of exports."""

    CSV = "text/csv"
    NDJSON = "application/x-ndjson"

    @property
    def suffix(self) -> str:
        """Of file names."""
        return "csv" if self is ExportForm.CSV else "ndjson"


_CHOICES: dict[str, ExportForm | None] = {form.value: form for form in ExportForm} | {
    "application/json": None, "application/*": None, "*/*": None,
}  # fmt: skip


def wanted_form(request: HttpRequest) -> ExportForm | None:
    """The form that Accept prefers to JSON (RFC 9110, section 12.5.1); None for JSON, and where it names none."""
    best: tuple[float, bool, int] = (0.0, False, 0)
    chosen: ExportForm | None = None
    for place, part in enumerate(",".join(request.headers.getall("accept", [])).split(",")):
        name, *parameters = (text.strip().lower() for text in part.split(";"))
        rank = (_quality(parameters), "*" not in name, -place)
        if name in _CHOICES and rank[0] > 0 and rank > best:
            best, chosen = rank, _CHOICES[name]
    return chosen


def _quality(parameters: Sequence[str]) -> float:
    for name, _, value in (one.partition("=") for one in parameters):
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
