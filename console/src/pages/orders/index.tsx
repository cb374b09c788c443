import { useMemo } from "react";
import { api, read } from "../../api/client";
import type { TradeOrder } from "../../api/contract";
import { usePageSearch } from "../../app/location";
import type { Column } from "../../ui/data-grid";
import { percentOf } from "../../ui/decimal";
import type { FilterField } from "../../ui/filter-bar";
import { ListPage, pagedSource, useListQuery } from "../../ui/list-page";
import { Empty } from "../../ui/states";
import { Figure, Moment, useZone } from "../../ui/values";
import { OrderDetails, SentBar } from "./details";
import { leftOf, queryOf } from "./model";
import "./orders.css";

const PATH = "/api/v2/tradeOrders";
const FIELDS: readonly FilterField[] = [
  { name: "orderId", label: "Order id", kind: "number" },
  { name: "ticker", label: "Ticker", kind: "text" },
  { name: "portfolio", label: "Portfolio", kind: "text", width: "m" },
  {
    name: "side",
    label: "Side",
    kind: "choice",
    options: [
      ["", "Any"],
      ["BUY", "Buy"],
      ["SELL", "Sell"],
    ],
  },
  {
    name: "submitted",
    label: "Submitted",
    kind: "choice",
    options: [
      ["", "Any"],
      ["true", "Wholly"],
      ["false", "Not wholly"],
    ],
  },
  { name: "time", label: "Time", kind: "period", from: "from", to: "to" },
];
const MAX_ID: FilterField = { name: "maxId", label: "Up to id", kind: "number" };
const MIN_ID: FilterField = { name: "minId", label: "From id", kind: "number" };

export default function OrdersPage() {
  const [{ open: _, ...filters }] = usePageSearch();
  const query = useListQuery(queryOf);
  const source = useMemo(
    () =>
      pagedSource<TradeOrder>(["orders", query], async (at, signal) => {
        const asked = { ...query, submitted: query.submitted as unknown as boolean | undefined, ...at };
        const answer = await read(api.GET(PATH, { params: { query: asked }, signal }));
        return { rows: answer.tradeOrders, pagination: answer.pagination };
      }),
    [query],
  );
  return (
    <ListPage
      title="Orders"
      label="Orders"
      path={PATH}
      query={query}
      name="orders"
      source={source}
      columns={useColumns()}
      fields={[...FIELDS, ...(filters.maxId ? [MAX_ID] : []), ...(filters.minId ? [MIN_ID] : [])]}
      rowId={(row) => String(row.id)}
      time="tradeTimestamp"
      details={(id, close) => <OrderDetails key={id} id={id} onClose={close} />}
      empty={
        <Empty title="No order matches">
          {Object.keys(filters).length > 0
            ? "Clear a filter to see more."
            : "Send a blotter to see its orders."}
        </Empty>
      }
    />
  );
}

function useColumns(): Column<TradeOrder>[] {
  const zone = useZone();
  return useMemo(
    () => [
      {
        id: "orderId",
        header: "Order id",
        width: "92px",
        narrow: true,
        narrowWidth: "5.6rem",
        sort: "orderId",
        cell: (row) => <span className="figure">{row.orderId}</span>,
      },
      {
        id: "side",
        header: "Side",
        width: "64px",
        narrow: true,
        narrowWidth: "3.4rem",
        sort: "orderType",
        cell: (row) => row.orderType,
      },
      {
        id: "ticker",
        header: "Ticker",
        width: "minmax(72px, 0.5fr)",
        narrow: true,
        narrowWidth: "minmax(0, 1fr)",
        sort: "security.ticker",
        cell: (row) => <strong>{row.security.ticker}</strong>,
      },
      {
        id: "portfolio",
        header: "Portfolio",
        width: "minmax(120px, 1fr)",
        sort: "portfolio.name",
        cell: (row) => row.portfolio.name,
      },
      {
        id: "quantity",
        header: "Quantity",
        width: "minmax(100px, 0.6fr)",
        align: "end",
        narrow: true,
        narrowWidth: "minmax(0, 1fr)",
        sort: "quantity",
        cell: (row) => <Figure value={row.quantity} />,
      },
      {
        id: "sent",
        header: "Sent",
        width: "minmax(128px, 0.8fr)",
        align: "end",
        sort: "quantitySent",
        cell: (row) => (
          <span className="orders-cell">
            <Figure value={row.quantitySent} />
            <SentBar percent={percentOf(row.quantitySent, row.quantity)} />
          </span>
        ),
      },
      {
        id: "left",
        header: "Left",
        width: "minmax(90px, 0.5fr)",
        align: "end",
        cell: (row) => <Figure value={leftOf(row)} />,
      },
      {
        id: "limit",
        header: "Limit",
        width: "minmax(80px, 0.4fr)",
        align: "end",
        cell: (row) => <Figure value={row.limitPrice} />,
      },
      {
        id: "blotter",
        header: "Blotter",
        width: "72px",
        sort: "blotter.abbreviation",
        cell: (row) => row.blotter?.abbreviation ?? "–",
      },
      {
        id: "time",
        header: `Time, ${zone}`,
        width: "136px",
        sort: "tradeTimestamp",
        cell: (row) => <Moment at={row.tradeTimestamp} short />,
      },
    ],
    [zone],
  );
}
