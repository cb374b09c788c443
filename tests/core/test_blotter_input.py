"""Pipes are copied, within a bound."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trade_service.cli.blotter_input import repeatable
from trade_service.cli.running import CommandError

TEXT = b"portfolio,side\n" * 100


@contextmanager
def pipe_with(content: bytes) -> Iterator[str]:
    """The name of a pipe that holds `content`."""
    reading, writing = os.pipe()
    try:
        os.write(writing, content)
        os.close(writing)
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)


def test_a_pipe_is_read_twice_and_its_copy_vanishes() -> None:
    with pipe_with(TEXT) as name:
        with repeatable(name, len(TEXT)) as copied:
            again = copied()
            assert again is not None
            assert Path(again).read_bytes() == Path(again).read_bytes() == TEXT
        assert not Path(again).exists()


def test_a_longer_pipe_is_refused() -> None:
    message = r"/dev/fd/\d+ has more than 1,499 bytes \(blotter.max_pipe_bytes\): write it to a file"
    with (
        pipe_with(TEXT) as name,
        repeatable(name, len(TEXT) - 1) as copied,
        pytest.raises(CommandError, match=message),
    ):
        copied()


def test_a_file_is_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "blotter.csv"
    path.write_bytes(TEXT)
    with repeatable(str(path), 1) as copied:
        assert copied() == str(path)
