"""Generates the sample blotter that ships with the service: `python -m tools.make_blotter [FILE]`.

The same seed gives the same file, byte for byte; a test compares the shipped one.
"""

import random
import sys
from collections.abc import Iterator
from pathlib import Path

SHIPPED = Path(__file__).parent.parent / "src" / "trade_service" / "data" / "sp500_blotter.csv"
ORDERS = 5_000
FIRST_ORDER_ID = 1_000_001
SEED = 500
HEADER = (
    "order_id,portfolio_id,order_type,security_id,quantity,limit_price,trade_timestamp,blotter,destination"
)
DESTINATIONS = ("ML", "RBC", "JPM", "IB", "INST", "POSIT")
PORTFOLIOS = 40
TRADING_DAY_S = 6 * 3600

# Members of the S&P 500, by ticker.
_LISTED = """
A AAPL ABBV ABNB ABT ACGL ACN ADBE ADI ADM ADP ADSK AEE AEP AES AFL AIG AIZ AJG AKAM ALB ALGN ALL ALLE AMAT
AMCR AMD AME AMGN AMP AMT AMZN ANET AON AOS APA APD APH APO APTV ARE ATO AVB AVGO AVY AWK AXON AXP AZO BA BAC
BALL BAX BBY BDX BEN BG BIIB BK BKNG BKR BLDR BLK BMY BR BRO BSX BX BXP C CAG CAH CARR CAT CB CBOE CBRE CCI
CCL CDNS CDW CEG CF CFG CHD CHRW CHTR CI CINF CL CLX CMCSA CME CMG CMI CMS CNC CNP COF COIN COO COP COR COST
CPAY CPB CPRT CPT CRL CRM CRWD CSCO CSGP CSX CTAS CTRA CTSH CTVA CVS CVX CZR D DAL DASH DAY DD DDOG DE DECK
DELL DG DGX DHI DHR DIS DLR DLTR DOC DOV DOW DPZ DRI DTE DUK DVA DVN DXCM EA EBAY ECL ED EFX EG EIX EL ELV
EMN EMR ENPH EOG EPAM EQIX EQR EQT ERIE ES ESS ETN ETR EVRG EW EXC EXE EXPD EXPE EXR F FANG FAST FCX FDS FDX
FE FFIV FI FICO FIS FITB FOX FOXA FRT FSLR FTNT FTV GD GDDY GE GEHC GEN GEV GILD GIS GL GLW GM GNRC GOOG GOOGL
GPC GPN GRMN GS GWW HAL HAS HBAN HCA HD HIG HII HLT HOLX HON HPE HPQ HRL HSIC HST HSY HUBB HUM HWM IBM ICE
IDXX IEX IFF INCY INTC INTU INVH IP IPG IQV IR IRM ISRG IT ITW IVZ J JBHT JBL JCI JKHY JNJ JPM K KDP KEY KEYS
KHC KIM KKR KLAC KMB KMI KMX KO KR KVUE L LDOS LEN LH LHX LII LIN LKQ LLY LMT LNT LOW LRCX LULU LUV LVS LW
LYB LYV MA MAA MAR MAS MCD MCHP MCK MCO MDLZ MDT MET META MGM MHK MKC MKTX MLM MMC MMM MNST MO MOH MOS MPC
MPWR MRK MRNA MS MSCI MSFT MSI MTB MTCH MTD MU NCLH NDAQ NDSN NEE NEM NFLX NI NKE NOC NOW NRG NSC NTAP NTRS
NUE NVDA NVR NWS NWSA NXPI O ODFL OKE OMC ON ORCL ORLY OTIS OXY PANW PAYC PAYX PCAR PCG PEG PEP PFE PFG PG
PGR PH PHM PKG PLD PLTR PM PNC PNR PNW PODD POOL PPG PPL PRU PSA PSX PTC PWR PYPL QCOM RCL REG REGN RF RJF RL
RMD ROK ROL ROP ROST RSG RTX RVTY SBAC SBUX SCHW SHW SJM SLB SMCI SNA SNPS SO SOLV SPG SPGI SRE STE STLD STT
STX STZ SW SWK SWKS SYF SYK SYY T TAP TDG TDY TECH TEL TER TFC TGT TJX TKO TMO TMUS TPL TPR TRGP TRMB TROW TRV
TSCO TSLA TSN TT TTD TTWO TXN TXT TYL UAL UBER UDR UHS ULTA UNH UNP UPS URI USB V VICI VLO VLTO VMC VRSK VRSN
VRTX VST VTR VTRS VZ WAB WAT WBD WDAY WDC WEC WELL WFC WM WMB WMT WRB WSM WST WTW WY WYNN XEL XOM XYL YUM ZBH
ZBRA ZTS
"""
TICKERS = _LISTED.split()


def blotter_lines(
    seed: int = SEED, orders: int = ORDERS, first_order_id: int = FIRST_ORDER_ID
) -> Iterator[str]:
    """The header and one line per order, without line ends."""
    rng = random.Random(seed)
    portfolios = [f"{rng.getrandbits(96):024x}" for _ in range(PORTFOLIOS)]
    prices = {ticker: round(min(max(rng.lognormvariate(4.8, 0.8), 8.0), 4000.0), 2) for ticker in TICKERS}
    yield HEADER
    for number in range(orders):
        ticker = rng.choice(TICKERS)
        side = "BUY" if rng.random() < 0.55 else "SELL"
        price = f"{prices[ticker] * rng.uniform(0.97, 1.03):.2f}" if rng.random() < 0.7 else ""
        minute, second = divmod(number * 3 // 2 % TRADING_DAY_S, 60)
        moment = f"2026-01-30T{14 + minute // 60:02d}:{minute % 60:02d}:{second:02d}Z"
        values = (
            str(first_order_id + number),
            rng.choice(portfolios),
            side,
            ticker,
            "1234567890.12345678" if number == orders // 2 else _quantity(rng),
            price,
            moment,
            "EQ",
            rng.choice(DESTINATIONS),
        )
        yield ",".join(values)


def _quantity(rng: random.Random) -> str:
    """Mostly round lots, sometimes odd lots, occasionally fractions of a share."""
    kind = rng.random()
    if kind < 0.75:
        return str(100 * rng.randint(1, 60))
    if kind < 0.92:
        return str(rng.randint(1, 999))
    if kind < 0.97:
        return f"{rng.randint(1, 400)}.5"
    return f"{rng.randint(1, 90)}.{rng.randint(1, 9999):04d}".rstrip("0")


def main() -> None:
    """Writes the shipped file, or the given one."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes("".join(f"{line}\n" for line in blotter_lines()).encode())
    print(f"{ORDERS} orders in {target}")


if __name__ == "__main__":
    main()
