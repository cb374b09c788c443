"""Columns that may make another order of a row, or none: states, actions, flags, stop prices, terms of options."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from trade_service.blotter.number_dialect import readings
from trade_service.blotter.synonyms import (
    OPTIONAL,
    PRICE_TYPES,
    field_of,
    may_be_limit,
    most_alike,
    plain_name,
    price_type_of,
    side_of,
)
from trade_service.domain.orders import NewTradeOrder

PRICE_TYPE, SECOND_SIDE, ACTION, MESSAGE = "price type", "second side", "action", "message"
STATE, NOTE, REMAINDER = "status", "note", "remaining quantity"
WITHDRAWING = re.compile(
    r"\bin (thousands|000s?|'000|millions|lots|tsd|tausend)\b|\(('?000s?|tsd|mio)\b"
    r"|\b(cancel|withdrawn|withdrew|storniert|draft|entwurf|superseded|ersetzt|obsolete|void\b|ungültig|annul|anulad)"
    r"|\b(do not|don'?t|not to be|nicht) (send|trade|execut|use|ausf)"
    r"|\bnot (for (execution|trading|use)|approved|final)\b"
    r"|\bnicht (freigegeben|genehmigt)|\b(before|pending|awaiting) approval\b|\brejected\b"
    r"|\btest (data|file|only|orders?)\b|\b(for )?information only\b|\b(simulat|example (only|orders?|file)\b)",
    re.I,
)
"""Phrases in a row before or behind a table that change what its orders mean."""
_FIX_NEW = {"35": frozenset(("d", "8")), "150": frozenset(("0", "a", "i"))}
_CODE_CHARS = 2
_FIX_NAMES = {"msgtype": "35", "exectype": "150"}
_ENDED = re.compile(
    r"(?<![^\W_])(?:api|verified|partially|partly|partial|part|pending|teil|teilweise)?[\s_\-]*"
    r"(?:cancel|canc\b|filled|fill\b|execut|reject|expir|replac|done\b|complet|delet|void|kill|fail|error|inactiv"
    r"|suspend|bust|revers|correct|withdraw|amend|modif|revis|updat|chang|storn|gel(?:ö|oe)sch|ausgef|abgelehn|abgelauf"
    r"|gestrich|erledig|annul|ex(?:é|e)cut|rejet|anulad|ejecutad|rechaz|caducad|cancellat|eseguit)",
    re.I,
)
_NOT_ENDED = re.compile(
    r"(?<![^\W_])(?:un|in|not|non|nicht|never|to be)[\s_\-]*"
    r"(?:filled|executed|complete|completed|done|cancelled|ausgeführt)",
    re.I,
)
_WITHDRAWN_NOTE = re.compile(
    r"\W*(?:(?:pls\.?|please|bitte|to be|was|is)\s+)?"
    r"(?:cancel|do not|don'?t|void\b|storn|nicht (?:senden|ausf)|not approved|hold\b|on hold|duplicate\b)"
    r"|.*\b(?:withdr[ae]wn?|(?:is|was|been|now|wurde) (?:cancell?ed|storniert))\b",
    re.I,
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_CANCEL_CODES = frozenset(("ca", "co"))
"""IBKR's codes of cancelled or corrected trades."""
_NO = frozenset(("", "n", "no", "none", "false", "f", "0", "nein", "non", "null", "n/a", "na", "-", "--"))
_NOTHING = re.compile(r"[0.,\-\s%]*")
_OTHER_TIMES = re.compile(
    "ioc|fok|opg|cls|moc|loc|moo|loo|at(the)?(close|open|opening)|on(close|open)|(market|limit)onclose"
    "|immediateorcancel|fill(or|and)kill"
)
_OTHER_ASSETS = re.compile(
    r"(?<![^\W_])(i?opt(s|ions?|ionen)?|oof|oop|fut(s|ures?)?|fop|cfds?|warrants?|war|swaps?|spreads?|mleg|options?schein\w*)"
    r"(?![^\W_])",
    re.I,
)
_UNITS = re.compile("(share|sh|unit|piece|pc)s?|each|ea|st|stk|stück|titres")
_OTHER_CLASSES = frozenset(("bracket", "oco", "oto", "otoco", "mleg", "multileg", "spread", "combo"))


def _has_ended(text: str) -> bool:
    return bool(_ENDED.search(_NOT_ENDED.sub("", _CAMEL.sub(" ", text))))


def _is_other_time(text: str) -> bool:
    return bool(_OTHER_TIMES.fullmatch(plain_name(text)))


def _is_something(text: str) -> bool:
    return not _NOTHING.fullmatch(text)


def _is_executed(text: str) -> bool:
    return _is_something(text) and _is_yes(text)


def _is_yes(text: str) -> bool:
    return text.lower() not in _NO


def _is_no(text: str) -> bool:
    return text.lower() in _NO or text.lower().startswith(("not ", "no ", "pending", "reject"))


def _is_withdrawn_note(text: str) -> bool:
    return bool(_WITHDRAWN_NOTE.match(text))


def _is_other_asset(text: str) -> bool:
    return bool(_OTHER_ASSETS.search(text))


def _is_cancel_code(text: str) -> bool:
    return not _CANCEL_CODES.isdisjoint(re.split(r"[;,\s]+", text.lower()))


def _is_other_unit(text: str) -> bool:
    return not _UNITS.fullmatch(plain_name(text))


def _is_other_than_one(text: str) -> bool:
    return not re.fullmatch(r"[01]?([.,]0*)?", text)


def _is_other_class(text: str) -> bool:
    return plain_name(text) in _OTHER_CLASSES


_KINDS: Mapping[str, tuple[str, Callable[[str], bool], str]] = {
    STATE: (
        "status ordstatus orderstatus orderstate state executionstatus execstatus tradestatus statut estado stato "
        "orderstand auftragsstatus 39",
        _has_ended,
        "must not be that of an order that has ended, was changed, or was executed in part",
    ),
    "stop price": (
        "stopprice stoppx stop triggerprice trigger auxprice stoploss trailprice trailpercent trailamount "
        "trailingamount trailingpercent 99",
        _is_something,
        "must be empty: the service sends limit and market orders only",
    ),
    "executed quantity": (
        "filledqty filledquantity qtyfilled quantityfilled filled filledshares cumqty cumquantity executedqty "
        "executedquantity qtyexecuted quantityexecuted tradedqty tradedquantity done doneqty ausgeführt 14 "
        "%filled filled% percentfilled filledpercent fillpercent pctfilled %complete %done %executed executed%",
        _is_executed,
        "must be empty or zero: some of the order was executed already, and the whole would be sent again",
    ),
    "end of the order": (
        "canceledat cancelledat expiredat failedat filledat replacedat replacedby "
        "canceltime cancelledtime filltime",
        _is_yes,
        "must be empty: the order has ended or was replaced",
    ),
    "codes": (
        "notescodes notecodes",
        _is_cancel_code,
        "must not mark a cancelled or corrected trade",
    ),
    "terms of an option": (
        "strike strikeprice putcall putorcall callput callorput optiontype optionright right 201 202",
        _is_something,
        "must be empty: the service knows a security by its identifier alone, and this row is an option",
    ),
    "expiry of a contract": (
        "contractmonth maturity maturitydate maturitymonthyear expiry expirydate exp lasttradedateorcontractmonth "
        "verfall verfallsdatum 200 541",
        _is_something,
        "must be empty: the service identifies a security by its identifier alone, and this one expires",
    ),
    "all or none": (
        "aon allornone",
        _is_yes,
        "must say no: the service cannot ask for all or none",
    ),
    "kind of security": (
        "assetclass assettype assetcategory securitytype sectype instrumenttype 167",
        _is_other_asset,
        "must not be an option or a future, whose identifier may be that of the share",
    ),
    "time in force": (
        "timeinforce tif validity orderduration 59",
        _is_other_time,
        "must be a day order or one that stays: the service cannot ask for a certain moment of execution",
    ),
    "order class": (
        "orderclass",
        _is_other_class,
        "must be simple: the service sends no orders that depend on others",
    ),
    "flag against sending": (
        "cancelled canceled iscancelled iscanceled cancel cancelflag cancelind void voided isvoid deleted "
        "isdeleted rejected isrejected hold onhold donotsend donottrade storniert storno",
        _is_yes,
        "must say no: an order that is marked so is not sent",
    ),
    "flag for sending": (
        "send tosend sendorder include isincluded active isactive approved isapproved enabled release released "
        "freigegeben",
        _is_no,
        "must say yes: an order that is not marked so is not sent",
    ),
    "unit": (
        "unit quantityunit qtyunit uom unitofmeasure quantitytype qtytype amounttype",
        _is_other_unit,
        "must be shares: the service takes quantities in single units",
    ),
    "multiplier": (
        "multiplier contractmultiplier",
        _is_other_than_one,
        "must be 1: the service takes quantities in single units",
    ),
    NOTE: (
        "note notes comment comments remark remarks instruction instructions specialinstructions bemerkung",
        _is_withdrawn_note,
        "must not say that the order is withdrawn",
    ),
}
_REMAINDERS = (
    "leavesqty leavesquantity remaining remainingqty remainingquantity qtyremaining quantityremaining openqty "
    "openquantity qtyopen unfilled unfilledqty restmenge offen offenemenge originalqty originalquantity origqty "
    "originalorderqty 151"
)
_KIND_OF = {name: kind for kind, (names, _, _) in _KINDS.items() for name in names.split()} | dict.fromkeys(
    _REMAINDERS.split(), REMAINDER
)
_FIX_CODES = {STATE: frozenset("12345678bce"), "time in force": frozenset("23457")}
"""Values of OrdStatus (39) of orders that ended, changed or were executed in part, and of TimeInForce (59)."""
_SAYS_WHEN_BLANK = frozenset(("flag for sending",))


def guard_of(name: str) -> str | None:
    """The kind of guard that a column's name says it is, other than a price type or a side."""
    plain = plain_name(name).strip("?!*")
    return MESSAGE if _FIX_NAMES.get(plain, plain) in _FIX_NEW else _KIND_OF.get(plain)


def matters(name: str) -> bool:
    """Whether a column of this name may decide what is traded."""
    if field_of(name) is not None or guard_of(name) is not None or may_be_limit(name):
        return True
    return plain_name(name) in PRICE_TYPES or most_alike(name, map(plain_name, OPTIONAL)) is not None


def broken_rule(kind: str, column: str, text: str, order: NewTradeOrder, *, fix: bool) -> str | None:
    """The rule that a guard breaks: its row is another order than its fields say, or none."""
    if not text and kind not in _SAYS_WHEN_BLANK:
        return None
    if kind == PRICE_TYPE:
        return _wrong_price_type(text, order, fix=fix)
    if kind == SECOND_SIDE:
        contradicts = side_of(text, fix=fix) not in (None, order.order_type)
        return f"must not contradict {order.order_type}" if contradicts else None
    if kind == ACTION:
        withdraws = _has_ended(text)
        return "must not cancel or change another order: every row is a new one" if withdraws else None
    if kind == MESSAGE:
        return None if _is_new_order(plain_name(column), text) else "must be that of a new order"
    if kind == REMAINDER:
        return None if order.quantity in _values(text) else _other_rest(column)
    _, is_wrong, rule = _KINDS[kind]
    if not is_wrong(text) and not (fix and text.lower() in _FIX_CODES.get(kind, ())):
        return None
    return rule if kind == STATE else f"{rule} (--map '{column}=' leaves the column out)"


def _values(text: str) -> list[Decimal]:
    return [abs(Decimal(plain)) for plain in readings(text) if plain is not None]


def _other_rest(column: str) -> str:
    return (
        "must equal the quantity: some of the order was executed already, or it was changed "
        f"(--map '{column}=' leaves the column out)"
    )


def _is_new_order(name: str, text: str) -> bool:
    code = text.lower()
    if len(code) <= _CODE_CHARS:
        return code in _FIX_NEW[_FIX_NAMES.get(name, name)]
    return not _has_ended(text) and "trade" not in code


def _wrong_price_type(text: str, order: NewTradeOrder, *, fix: bool) -> str | None:
    meant = price_type_of(text, fix=fix)
    if meant == "limit":
        return "must have a limit price, or be a market order" if order.limit_price is None else None
    if meant == "market":
        return None if order.limit_price is None else "must have no limit price, or be a limit order"
    return "must be limit or market: the service sends no other orders"
