"""The usual names of columns and sides, from exports of brokers and drop copies.

Sources: IBKR Flex queries, Schwab and Fidelity history, Zerodha tradebooks, Alpaca orders, FIX drop copies with
names or tag numbers, German, French and Spanish order lists. A field takes the column of the lowest rank; two of
one rank are refused.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

REQUIRED = ("order_id", "portfolio_id", "order_type", "security_id", "quantity", "destination")
OPTIONAL = ("limit_price", "trade_timestamp", "blotter")
FIELDS = (*REQUIRED, *OPTIONAL)

_RANKED: Mapping[str, tuple[str, ...]] = {
    "order_id": ("orderid orderno ordernumber ordernr orderref ordernummer 37", "clordid clientorderid 11"),
    "portfolio_id": (
        "portfolioid portfolio portfoliocode fund fundid fundcode strategyaccount",
        "account accountid acct accountnumber accountno clientaccountid clientaccount tradingaccount client "
        "clientid clientcode depot depotnummer compte cuenta 1",
    ),
    "order_type": (
        "ordertype",
        "side buysell bs orderside tradeside direction action transactiontype trantype tradetype "
        "kaufverkauf orderart sens sentido 54",
        "type transaction",
    ),
    "security_id": (
        "securityid",
        "symbol ticker instrument tradingsymbol instrumentid securitycode stockcode scrip "
        "stock asset wertpapier titre valor 55",
        "security isin cusip sedol figi conid wkn 48",
    ),
    "quantity": (
        "quantity qty orderqty orderquantity shares noofshares numberofshares units stück stückzahl menge "
        "quantité cantidad stücknominale 38",
    ),
    "destination": (
        "destination dest destinationid",
        "broker executingbroker brokercode route venue exdestination counterparty 100",
        "exchange market listingexchange boerse börse handelsplatz lastmkt",
    ),
    "limit_price": ("limitprice limit limitpx lmtprice lmt pricelimit limitkurs",),
    "trade_timestamp": (
        "tradetimestamp",
        "timestamp transacttime orderexecutiontime orderplacementtime ordertime submittedat createdat 60",
    ),
    "blotter": ("blotter blotterid", "desk"),
}
_PRICES = frozenset(("price", "px", "orderprice", "priceusd", "kurs", "preis", "prix", "precio", "44"))
"""The limit price in an order list, the price of the execution in a list of trades."""
_LIKE_PRICES = re.compile(r".*(price|limit|kurs|preis|prix|precio).*|.*px")
_OTHER_PRICES = re.compile(
    r".*(avg|average|fill|exec|last|trade|tprice|mark|close|open|strike|cost|prev|arrival|bid|ask|mid|settle|type|typ"
    r"|stop|trigger|multiplier|currency|unit|change|chng|base|curr|ref|model|target|paid|net|gross).*"
)
PRICE_TYPES = frozenset(("ordertype", "ordtype", "pricetype", "type", "limittyp", "40"))
_FIX = frozenset(
    [
        "clordid",
        "ordstatus",
        "transacttime",
        "orderqty",
        "msgtype",
        "execid",
        "exectype",
        "cumqty",
        "leavesqty",
        "sendercompid",
        "targetcompid",
        "37",
        "11",
        "54",
        "55",
        "38",
        "60",
        "44",
        "150",
        "39",
    ]
)

_SIDES = {
    "BUY": "buy b bot bought buytoopen bto kauf kaufen achat compra",
    "SELL": "sell s sld sold sellout selllong selltoclose stc verkauf verkaufen vente venta",
    "SHORT": "short ss sellshort shortsell shrt sshrt",
    "COVER": "cover buytocover btc buytoclose buycover bc",
    "EXRC": "exrc exercise",
}
_SIDE_OF = {name: side for side, names in _SIDES.items() for name in names.split()}
_FIX_SIDES = {"1": "BUY", "2": "SELL", "5": "SHORT"}
_LIMIT = frozenset(("limit", "lmt", "limitorder", "l"))
_MARKET = frozenset(("market", "mkt", "marketorder", "m", "billigst", "bestens"))
_OTHER_PRICE_TYPES = frozenset(
    [
        "stop",
        "stp",
        "stoplimit",
        "stplmt",
        "stopmarket",
        "sl",
        "slm",
        "trail",
        "trailingstop",
        "moc",
        "loc",
        "moo",
        "loo",
        "marketonclose",
        "limitonclose",
        "peg",
        "pegged",
        "midprice",
        "iceberg",
        "marketiftouched",
        "mit",
    ]
)

_MONEY = re.compile(r"[$€£¥]")
"""An amount of money in the column's name: a quantity is a number of units."""
_RANK_OF = {
    name: (field, rank)
    for field, ranks in _RANKED.items()
    for rank, names in enumerate(ranks)
    for name in names.split()
}
_OWN = {field.replace("_", ""): field for field in FIELDS}


_ALIKE = 0.8
"""How much a misspelled name resembles the right one, 0..1."""


def plain_name(name: str) -> str:
    """A column's name without case, blanks, currency and punctuation: `Price ($)` becomes `price`."""
    return re.sub(r"[\s_\-./#:()$€£'\"]+", "", name).lower()


def most_alike(name: str, known: Iterable[str]) -> str | None:
    """The plain name among `known` that a column's name may be a misspelling of; None if there is none."""
    return next(iter(get_close_matches(plain_name(name), known, n=1, cutoff=_ALIKE)), None)


def field_of(name: str) -> tuple[str, int] | None:
    """The field that a column usually holds, and the rank of its name; rank 0 is the field's own name."""
    plain = plain_name(name)
    if plain in _OWN and not (plain == "quantity" and _MONEY.search(name)):
        return _OWN[plain], 0
    found = _RANK_OF.get(plain)
    if found is None or (found[0] == "quantity" and _MONEY.search(name)):
        return None
    return found[0], found[1] + 1


def may_be_limit(name: str) -> bool:
    """Whether a column that no other name explains may hold limit prices."""
    plain = plain_name(name)
    return plain in _PRICES or bool(_LIKE_PRICES.fullmatch(plain) and not _OTHER_PRICES.fullmatch(plain))


def is_drop_copy(names: Iterable[str]) -> bool:
    """Whether the columns are those of FIX messages, whose sides are 1, 2 and 5."""
    return len({plain_name(name) for name in names} & _FIX) > 1


def side_of(text: str, *, fix: bool) -> str | None:
    """The order type that people mean by `B`, `BOT` or `Sell Short`; None for anything else."""
    plain = re.sub(r"[\s_\-.]+", "", text).lower() if text.isascii() else ""
    return _SIDE_OF.get(plain) or (_FIX_SIDES.get(plain) if fix else None)


def price_type_of(text: str, *, fix: bool) -> str | None:
    """`limit`, `market`, `other` for what is neither, None for what is no price type at all."""
    plain = re.sub(r"[\s_\-./@]+", "", text).lower()
    if plain in _LIMIT or (fix and plain == "2"):
        return "limit"
    if plain in _MARKET or (fix and plain == "1"):
        return "market"
    return "other" if plain in _OTHER_PRICE_TYPES or (fix and plain.isalnum()) else None
