"""Options that name a column or field and a value: `side=order_type`, `destination=JPM`."""

from collections.abc import Iterable, Mapping

from trade_service.blotter.number_dialect import COMMA, POINT

DECIMAL_SIGNS = {"point": POINT, "comma": COMMA}
DATE_ORDERS = ("day", "month")


def columns_to_fields(option: str, texts: Iterable[str]) -> Mapping[str, str]:
    """Fields by column, of texts such as `side=order_type`; a column's name may contain an equals sign.

    Raises ValueError, which names the option.
    """
    return _pairs(option, "COLUMN=FIELD", [text.rpartition("=") for text in texts])


def fields_to_values(option: str, texts: Iterable[str]) -> Mapping[str, str]:
    """Values by field, of texts such as `destination=JPM`. Raises ValueError, which names the option."""
    return _pairs(option, "FIELD=VALUE", [text.partition("=") for text in texts])


def _pairs(option: str, form: str, parts: Iterable[tuple[str, str, str]]) -> Mapping[str, str]:
    pairs: dict[str, str] = {}
    for name, sign, value in parts:
        if not sign or not name:
            raise ValueError(f"{option} must be {form}; got {name + sign + value!r}")
        if name in pairs:
            raise ValueError(f"{option} names {name!r} twice")
        pairs[name] = value
    return pairs
