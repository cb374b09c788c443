"""`make recording`: runs the demo in a terminal and renders its output as docs/demo.svg."""

import os
import pty
import re
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS, ROWS = 104, 60
TARGET = Path(__file__).parent.parent / "docs" / "demo.svg"
_CONTROL = re.compile(r"\x1b\[(\d*)([AK])|\x1b\[\?25[lh]|(\r\n|\n|\r)")
_FONT = re.compile(r"@font-face \{.*?\}|<!-- Generated with Rich [^>]*-->", re.DOTALL)
"""Remote fonts, which the picture must not need."""


def screen_of(output: str) -> list[str]:
    """The lines that a terminal shows after `output`, applying line ends, erasures and cursor movements."""
    lines, row, position = [""], 0, 0
    for match in _CONTROL.finditer(output):
        _write(lines, row, output[position : match.start()])
        position = match.end()
        if match[2] == "A":
            row = max(0, row - int(match[1] or 1))
        elif match[2] == "K":
            lines[row] = ""
        elif match[3] and "\n" in match[3]:
            row += 1
            if row == len(lines):
                lines.append("")
    _write(lines, row, output[position:])
    return lines


def _write(lines: list[str], row: int, text: str) -> None:
    lines[row] += text


def main() -> None:
    """Runs `trade-service demo` and writes the picture; fails if the demo does."""
    chunks: list[bytes] = []

    def read(descriptor: int) -> bytes:
        chunk = os.read(descriptor, 65536)
        chunks.append(chunk)
        return chunk

    os.environ |= {"COLUMNS": str(COLUMNS), "LINES": str(ROWS), "TERM": "xterm-256color"}
    command = str(Path(sys.executable).parent / "trade-service")
    status = pty.spawn([command, "demo", *sys.argv[1:]], read)
    if status:
        sys.exit(f"the demo failed (status {status}); no picture written")
    lines = [line.rstrip() for line in screen_of(b"".join(chunks).decode())]
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    console.print(Text("$ make run"))
    console.print(Text.from_ansi("\n".join(lines).rstrip("\n")))
    svg = _FONT.sub("", console.export_svg(title="trade-service")).replace("Fira Code", "DejaVu Sans Mono")
    TARGET.write_text(svg, "utf-8")
    print(f"wrote {TARGET}")


if __name__ == "__main__":
    main()
