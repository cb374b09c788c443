"""What the two services answer; only what is read of it is declared."""

import msgspec


class Portfolio(msgspec.Struct, frozen=True, rename="camel"):
    """A portfolio of `GET /api/v1/portfolio/{id}` and of the list of v2."""

    name: str
    portfolio_id: str = ""


class Security(msgspec.Struct, frozen=True, rename="camel"):
    """A security of `GET /api/v1/security/{id}` and of the list of v2."""

    ticker: str
    security_id: str = ""


class Portfolios(msgspec.Struct, frozen=True):
    """`GET /api/v2/portfolios?name=`."""

    portfolios: list[Portfolio]


class Securities(msgspec.Struct, frozen=True):
    """`GET /api/v2/securities?ticker=`."""

    securities: list[Security]
