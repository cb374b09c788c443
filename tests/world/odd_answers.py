"""Answers of the world's Execution Service that break its contract."""

import codecs
from typing import Any

import msgspec

from tests.world.weather import Weather

_encoder = msgspec.json.Encoder(decimal_format="number")

IMPOSSIBLE_ID = 2**31 + 7


def encode(value: object) -> bytes:
    """Compact JSON with decimals as numbers."""
    return _encoder.encode(value)


def make_odd(body: dict[str, Any], weather: Weather) -> bytes:
    """The body of an answer with one defect: the world's favourite, or any."""
    number = weather.manners.favourite
    if number is None:
        number = weather.dice.randrange(len(_ODDITIES))
    return _ODDITIES[number % len(_ODDITIES)](body, weather)


def _fewer(body: dict[str, Any], weather: Weather) -> bytes:
    body["results"] = [r for r in body["results"] if weather.happens(0.5)]
    return encode(body)


def _none(body: dict[str, Any], _: Weather) -> bytes:
    body["results"] = None
    return encode(body)


def _truncated(body: dict[str, Any], weather: Weather) -> bytes:
    text = encode(body)
    return text[: weather.dice.randrange(1, len(text))]


def _repeated(body: dict[str, Any], weather: Weather) -> bytes:
    body["results"].append(dict(weather.dice.choice(body["results"])))
    return encode(body)


def _out_of_range(body: dict[str, Any], weather: Weather) -> bytes:
    weather.dice.choice(body["results"])["requestIndex"] = weather.dice.choice((-1, 99, None))
    return encode(body)


def _without_id(body: dict[str, Any], weather: Weather) -> bytes:
    result = weather.dice.choice(body["results"])
    if result["execution"] is not None:
        result["execution"] = dict(result["execution"], id=None)
    return encode(body)


def _reordered(body: dict[str, Any], weather: Weather) -> bytes:
    weather.dice.shuffle(body["results"])
    body["successful"] += 1
    return encode(body)


def _exchanged(body: dict[str, Any], weather: Weather) -> bytes:
    """Swaps the indexes of two results: only the executions' ids show it."""
    one, other = weather.dice.choice(body["results"]), weather.dice.choice(body["results"])
    if one["execution"] and other["execution"]:
        one["requestIndex"], other["requestIndex"] = other["requestIndex"], one["requestIndex"]
    return encode(body)


def _one_id_for_two(body: dict[str, Any], weather: Weather) -> bytes:
    created = [result for result in body["results"] if result["execution"]]
    if len(created) > 1:
        one, other = weather.dice.sample(created, 2)
        one["execution"] = dict(one["execution"], id=other["execution"]["id"])
    return encode(body)


def _impossible_id(body: dict[str, Any], weather: Weather) -> bytes:
    result = weather.dice.choice(body["results"])
    if result["execution"] is not None:
        result["execution"] = dict(result["execution"], id=IMPOSSIBLE_ID)
    return encode(body)


def _with_mark(body: dict[str, Any], _: Weather) -> bytes:
    return codecs.BOM_UTF8 + encode(body)


_ODDITIES = (
    _fewer, _none, _truncated, _repeated, _out_of_range, _without_id, _reordered, _exchanged, _one_id_for_two,
    _impossible_id, _with_mark,
)  # fmt: skip
