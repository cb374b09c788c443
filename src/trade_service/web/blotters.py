"""/api/v2/blotters: files of orders, checked and submitted as `trade-service submit` does it."""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from litestar import Controller, Response
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.params import FromPath

from trade_service.blotter.file_refusals import FileQuestion, FileRefused, QuestionCode
from trade_service.blotter.option_pairs import (
    DATE_ORDERS,
    DECIMAL_SIGNS,
    columns_to_fields,
    fields_to_values,
)
from trade_service.blotter.order_rows import LineRules
from trade_service.blotter.reading_process import ReadingTask
from trade_service.blotter.sheet_process import SheetBounds
from trade_service.domain.errors import InvalidInput
from trade_service.domain.fields import visible
from trade_service.domain.reference import ReferenceData
from trade_service.trading.blotter_preview import Preview
from trade_service.trading.blotter_submissions import KeptBlotter, ReadBlotter
from trade_service.trading.bulk_submissions import MAX_EXECUTIONS, BulkSubmissionId
from trade_service.trading.line_results import LineResult, ResultColumns, refused_result, taken_result
from trade_service.trading.request_keys import Created
from trade_service.web.access import CLIENT, LISTING, TRADER, get, post
from trade_service.web.blotter_bodies import BlotterCheckAnswer, BlotterSubmitAnswer, check_answer
from trade_service.web.blotter_uploads import BlotterUploads
from trade_service.web.body_bounds import WHOLE_FILES
from trade_service.web.csv_rows import csv_line
from trade_service.web.dependencies import Injected, Services, WebServices
from trade_service.web.errors import HttpCode, RequestRefused
from trade_service.web.export_forms import ExportForm, wanted_form
from trade_service.web.idempotency import keyed_post
from trade_service.web.parameters import read_flag, read_once
from trade_service.web.responses import PIECE, STEPS, ApiResponse
from trade_service.web.routing import HttpRequest, documented, location, query
from trade_service.web.submissions import submission_id_of
from trade_service.web.turns import while_connected

MAX_TEXT_CHARS = 32 * 2**20
"""Of all cells of a file, which are kept until the request is answered."""
_MAX_NAME = 200
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_OPTION = re.compile(r"--(map|set|sheet|encoding|dates|decimal|time-zone)\b")
_ANSWERED_BY = {
    QuestionCode.SHEET: "sheet",
    QuestionCode.DECIMAL_SIGN: "decimal",
    QuestionCode.DATE_ORDER: "dates",
    QuestionCode.TIME_ZONE: "timeZone",
}
"""The parameter that answers a question, where it is not `map`."""
_TEXT = Schema(type=OpenAPIType.STRING)


def _words(words: Sequence[str]) -> Schema:
    return Schema(type=OpenAPIType.STRING, enum=list(words))


def _texts(example: str) -> Schema:
    return Schema(type=OpenAPIType.ARRAY, items=_TEXT, examples=[[example]])


_READING = (
    query("filename", "The name of the file, shown in answers.", _TEXT),
    query(
        "map",
        "COLUMN=FIELD: reads a field from this column; without a field, ignores the column. May be repeated.",
        _texts("side=order_type"),
    ),
    query(
        "set",
        "FIELD=VALUE: one value for all rows. May be repeated.",
        _texts("destination=ML"),
    ),
    query("decimal", "The decimal sign of all numbers.", _words([*DECIMAL_SIGNS])),
    query("dates", "What dates such as 03/04/2026 begin with.", _words(DATE_ORDERS)),
    query("timeZone", "The zone of times without an offset, such as Europe/Berlin.", _TEXT),
    query("encoding", "The encoding, such as cp1252, where it is not UTF-8 or UTF-16.", _TEXT),
    query("sheet", "The sheet of a workbook that has several.", _TEXT),
)
_SUBMITTING = (
    query("checksum", "That of a check: another file, or one read otherwise, is refused with 409.", _TEXT),
    query("strict", "Creates and sends nothing if one row is refused.", Schema(type=OpenAPIType.BOOLEAN)),
)
_ROWS = documented(answers={200: str}, media_type=ExportForm.CSV.value)


class BlotterFileController(Controller):
    """Files of orders."""

    path = "/blotters"
    tags = ("Blotters",)

    @post(
        "/check",
        opt=TRADER | documented(parameters=_READING, uploaded=True) | WHOLE_FILES,
        status_code=200,
    )
    async def check(
        self, request: HttpRequest, services: Services, uploads: Injected[BlotterUploads]
    ) -> Response[BlotterCheckAnswer]:
        """Reads a file of orders, and says what submitting it would do; changes nothing.

        The body is the file: delimited text, JSON lines, an xlsx or ods workbook, or Parquet, whatever its media
        type. With `Accept: text/csv` the answer is a file of the refused rows: correct it and submit it.
        """
        body = await _file_of(request)
        reference = await services.references.reload()
        task = reading_task(request, services, reference)
        read = await _read(request, uploads, body, task)
        limits = services.settings.order_limits
        preview = Preview(reference, services.settings.trade_types, limits, read.layout.unit)
        taken = await services.blotters.check(read, preview)
        if wanted_form(request) is ExportForm.CSV:
            results = [refused_result(row) for row in read.refused]
            results += [taken_result(one.error, one.code, one.record.cells) for one in taken]
            results.sort(key=lambda result: result.line or 0)
            return await _csv("rejects", ResultColumns(read.layout.header), results)
        answer = check_answer(
            read,
            preview,
            taken,
            _file_name(request),
            _checksum(body, task),
            {row.id: row.abbreviation for row in reference.blotters.values()},
            {row.id: row.abbreviation for row in reference.destinations.values()},
        )
        return ApiResponse(answer)

    @keyed_post(
        "/submit",
        opt=TRADER
        | documented(
            parameters=(*_READING, *_SUBMITTING), uploaded=True, errors=(409,), headers=("Location",)
        )
        | WHOLE_FILES,
        status_code=202,
    )
    async def submit(
        self,
        request: HttpRequest,
        services: Services,
        uploads: Injected[BlotterUploads],
        created: Created | None,
    ) -> Response[BlotterSubmitAnswer]:
        """Creates and submits all good rows of a file as one bulk submission: all of them, or none.

        The body is as for a check. Orders that exist are resumed, and never sent twice: after a lost answer submit
        the same file again. The submission of Location has the progress, and `/rejects` the rows to correct.
        """
        if created is None:
            submission_id, kept = await _submitted(request, services, uploads)
        else:
            submission_id = str(created.name)
            kept = await services.blotters.read(submission_id)
        headers = {"Location": location(request, f"/api/v2/submissions/{submission_id}")}
        return ApiResponse(BlotterSubmitAnswer.of(submission_id, kept), 202, headers)

    @get("/{submission_id:str}/rejects", opt=LISTING | _ROWS)
    async def rejects(self, services: Services, submission_id: FromPath[str]) -> Response[str]:
        """The rows of a submitted blotter to correct and submit again, as a CSV file.

        Those that were refused, and those whose executions were rejected or exhausted since.
        """
        columns, results = await services.blotters.results(submission_id_of(submission_id))
        return await _csv("rejects", columns, [result for result in results if result.is_rejected])

    @get("/{submission_id:str}/results", opt=LISTING | _ROWS)
    async def results(self, services: Services, submission_id: FromPath[str]) -> Response[str]:
        """All rows of a submitted blotter as a CSV file, each with the present state of its executions."""
        columns, results = await services.blotters.results(submission_id_of(submission_id))
        return await _csv("results", columns, results)


async def _submitted(
    request: HttpRequest, services: WebServices, uploads: BlotterUploads
) -> tuple[BulkSubmissionId, KeptBlotter]:
    body = await _file_of(request)
    task = reading_task(request, services, await services.references.reload())
    wanted = read_once(request, "checksum")
    if wanted and wanted != _checksum(body, task):
        message = "checksum: the file, or how it is to be read, is not what was checked: check it again"
        raise RequestRefused(409, HttpCode.BLOTTER_CHANGED, message)
    is_strict = read_flag(request, "strict")
    read = await _read(request, uploads, body, task)
    if is_strict and read.refused:
        raise _refused(
            f"{len(read.refused):,} of its {read.rows:,} rows are refused: {read.refused[0].errors[0]}"
        )
    submission_id, kept = await services.blotters.submit(read, strict=is_strict)
    if kept is None:
        first = f": {read.refused[0].errors[0]}" if read.refused else ""
        raise _refused(
            f"of its {read.rows:,} rows none can be sent, or not all of them as strict demands{first}"
        )
    return submission_id, kept


async def _file_of(request: HttpRequest) -> bytes:
    """The body, which is the file; raises RequestRefused for forms, encodings and an empty one."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in _FORMS:
        rule = "must be that of the file, such as text/csv: the file itself is the body"
        raise RequestRefused.of(415, HttpCode.UNSUPPORTED_MEDIA_TYPE, "Content-Type", media_type, rule)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        rule = "must be left out, bodies are read as they are"
        raise RequestRefused.of(415, HttpCode.UNSUPPORTED_MEDIA_TYPE, "Content-Encoding", encoding, rule)
    body = await request.body()
    if not body:
        raise _refused("it is empty: its first row must name the columns")
    return body


def reading_task(request: HttpRequest, services: WebServices, reference: ReferenceData) -> ReadingTask:
    """How the query asks for the file to be read, within the bounds of the settings; raises InvalidInput."""
    settings = services.settings
    try:
        mapping = columns_to_fields("map", request.query_params.getall("map", []))
        constants = fields_to_values("set", request.query_params.getall("set", []))
    except ValueError as error:
        raise InvalidInput(str(error)) from None
    zone = read_once(request, "timeZone") or None
    if zone is not None:
        _check_zone(zone)
    server = settings.server
    bounds = SheetBounds(
        server.max_body_bytes, cpu_s=max(1, round(server.request_timeout_s)), rows=10 * MAX_EXECUTIONS
    )
    return ReadingTask(
        LineRules.of(reference, settings.trade_types, settings.order_limits),
        MAX_EXECUTIONS,
        MAX_TEXT_CHARS,
        bounds,
        mapping,
        constants,
        _word(request, "decimal", DECIMAL_SIGNS),
        _word(request, "dates", {word: word for word in DATE_ORDERS}),
        zone,
        read_once(request, "encoding") or None,
        read_once(request, "sheet") or None,
    )


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidInput.of("timeZone", name[:100], "must be a time zone, such as Europe/Berlin") from None


def _word(request: HttpRequest, name: str, known: dict[str, str]) -> str | None:
    text = read_once(request, name)
    if not text:
        return None
    if text not in known:
        raise InvalidInput.of(name, text[:100], f"must be one of {', '.join(known)}")
    return known[text]


def _file_name(request: HttpRequest) -> str | None:
    name = read_once(request, "filename")
    return visible(name[:_MAX_NAME], "filename") if name else None


def _checksum(body: bytes, task: ReadingTask) -> str:
    options = msgspec.json.encode(task.choices)
    return hashlib.sha256(len(options).to_bytes(4, "big") + options + body).hexdigest()


async def _read(request: HttpRequest, uploads: BlotterUploads, body: bytes, task: ReadingTask) -> ReadBlotter:
    reading = uploads.read(body, task, str(request.scope["state"][CLIENT]))
    try:
        return await while_connected(request.receive, reading)
    except FileRefused as error:
        raise _refused(str(error), error.question) from None


def _refused(rule: str, question: FileQuestion | None = None) -> RequestRefused:
    """The refusal of a file; options of the command are named as parameters.

    Its details have the question that a person can answer; null where only a correction of the file helps.
    """
    message = _OPTION.sub(_parameter, rule)
    details: dict[str, object] = {"question": None, "reason": message}
    if question is not None:
        details = msgspec.to_builtins(question)
        details["question"] = details.pop("code")
        details["parameter"] = _ANSWERED_BY.get(question.code, "map")
    return RequestRefused(400, HttpCode.BLOTTER_REFUSED, f"blotter: {message}", details=details)


def _parameter(option: re.Match[str]) -> str:
    return "timeZone" if option[1] == "time-zone" else option[1]


async def _csv(name: str, columns: ResultColumns, results: Sequence[LineResult]) -> Response[Any]:
    lines = [csv_line(columns.names)]
    for start in range(0, len(results), PIECE):
        lines += [csv_line(columns.row(result)) for result in results[start : start + PIECE]]
        for _ in range(STEPS):
            await asyncio.sleep(0)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return ApiResponse(b"".join(lines), 200, headers, ExportForm.CSV.value)
