"""Falsifies answers to work that was done correctly: hazards 4 and 5 of the Execution Service's contract. Pure.

Each function takes the correct answer, its results, the script's argument if any, and a source of randomness.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from execution_simulator.faults import RandomSource
from execution_simulator.payloads import BatchExecutionResponse, ExecutionResult

Results = list[ExecutionResult]


def _no_results(
    answer: BatchExecutionResponse, _: Results, argument: float | None, rng: RandomSource
) -> BatchExecutionResponse:
    form = rng.randrange(0, 3) if argument is None else int(argument)
    forms: tuple[list[ExecutionResult] | UnsetType | None, ...] = (UNSET, None, [])
    return replace(answer, results=forms[min(form, 2)])


def _fewer(
    answer: BatchExecutionResponse, results: Results, argument: float | None, rng: RandomSource
) -> BatchExecutionResponse:
    kept = list(results)
    for _ in range(min(len(kept), max(1, int(argument or 1)))):
        del kept[rng.randrange(0, len(kept))]
    return replace(answer, results=kept)


def _repeated(
    answer: BatchExecutionResponse, results: Results, _: float | None, rng: RandomSource
) -> BatchExecutionResponse:
    """One result repeats its neighbour's index; a lone result appears twice."""
    if len(results) == 1:
        return replace(answer, results=[*results, *results])
    place = rng.randrange(1, len(results))
    changed = list(results)
    changed[place] = replace(results[place], request_index=results[place - 1].request_index)
    return replace(answer, results=changed)


def _out_of_range(
    answer: BatchExecutionResponse, results: Results, _: float | None, rng: RandomSource
) -> BatchExecutionResponse:
    place = rng.randrange(0, len(results))
    changed = list(results)
    outside = -1 if rng.random() < 0.5 else len(results) + rng.randrange(0, 100)
    changed[place] = replace(results[place], request_index=outside)
    return replace(answer, results=changed)


def _miscounted(
    answer: BatchExecutionResponse, _: Results, __: float | None, ___: RandomSource
) -> BatchExecutionResponse:
    return replace(answer, successful=answer.failed, failed=answer.successful + 1)


def _without_execution(
    answer: BatchExecutionResponse, results: Results, _: float | None, rng: RandomSource
) -> BatchExecutionResponse:
    places = [place for place, result in enumerate(results) if result.execution is not None]
    changed = list(results)
    if places:
        place = places[rng.randrange(0, len(places))]
        changed[place] = replace(results[place], execution=None)
    return replace(answer, results=changed)


def _reordered(
    answer: BatchExecutionResponse, results: Results, _: float | None, rng: RandomSource
) -> BatchExecutionResponse:
    changed = list(results)
    rng.shuffle(changed)
    return replace(answer, results=changed)


_Tamper = Callable[[BatchExecutionResponse, Results, float | None, RandomSource], BatchExecutionResponse]
TAMPERING: Final[Mapping[str, _Tamper]] = MappingProxyType(
    {
        "no_results_201": _no_results,
        "fewer_results": _fewer,
        "repeated_index": _repeated,
        "index_out_of_range": _out_of_range,
        "wrong_counts": _miscounted,
        "missing_execution": _without_execution,
        "reordered_results": _reordered,
    }
)
