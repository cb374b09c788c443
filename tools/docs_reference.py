"""Writes the reference pages that are made from the code: the API and the command line. Part of `make docs`."""

import json
from collections.abc import Iterator
from pathlib import Path

import rich_click as click
from click.testing import CliRunner

from tools.openapi_document import document
from trade_service.cli.commands import cli

GENERATED = Path(__file__).parent.parent / "docs/generated"
WIDTH = 100


def api_page() -> str:
    """Every operation of the OpenAPI document, by path."""
    lines = [
        "# API",
        "",
        "Made from the OpenAPI document that the service serves at `/schema/openapi.json`.",
        "",
        "| method | path | what it does | answers |",
        "| --- | --- | --- | --- |",
    ]
    for path, methods in json.loads(document())["paths"].items():
        for method, operation in methods.items():
            summary = operation["summary"].replace("|", "\\|")
            answers = ", ".join(operation["responses"])
            lines.append(f"| {method.upper()} | `{path}` | {summary} | {answers} |")
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    """The help of every command."""
    return "\n".join(["# Command line", "", *_help_of(cli, ())]) + "\n"


def _help_of(command: click.Command, path: tuple[str, ...]) -> Iterator[str]:
    printed = CliRunner().invoke(cli, [*path, "--help"], prog_name="trade-service", terminal_width=WIDTH)
    yield from (
        f"## {' '.join(('trade-service', *path))}",
        "",
        "```text",
        printed.output.strip("\n"),
        "```",
        "",
    )
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from _help_of(child, (*path, name))


if __name__ == "__main__":
    GENERATED.mkdir(exist_ok=True)
    (GENERATED / "api.md").write_text(api_page(), "utf-8")
    (GENERATED / "cli.md").write_text(cli_page(), "utf-8")
