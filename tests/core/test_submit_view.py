"""The line that ends `submit`."""

from io import StringIO

import pytest
from rich.console import Console

from trade_service.cli.submit_view import print_sentence
from trade_service.cli.tally import Tally


@pytest.mark.parametrize(
    ("is_whole", "sentence"),
    [
        (True, "There was nothing to submit.\n"),
        (
            False,
            "Stopped before any order had a result. Run the same command again; nothing is sent twice.\n",
        ),
    ],
)
def test_a_stop_before_the_first_result_is_not_an_empty_file(is_whole: bool, sentence: str) -> None:
    shown = StringIO()
    print_sentence(Tally(), 1.0, Console(file=shown), is_whole=is_whole)
    assert shown.getvalue() == sentence
