import { useMemo } from "react";
import { api, read } from "../../api/client";
import type { Execution, SubmissionState } from "../../api/contract";
import { useDestinations, useSummary } from "../../api/queries";
import { usePageSearch } from "../../app/location";
import type { Column } from "../../ui/data-grid";
import { ExecutionDetails } from "../../ui/execution-details";
import type { FilterField } from "../../ui/filter-bar";
import { ListPage, pagedSource, useListQuery } from "../../ui/list-page";
import { Empty } from "../../ui/states";
import { compactText, Figure, Moment, STATES, StateBadge, useZone } from "../../ui/values";
import { queryOf } from "./model";

const PATH = "/api/v2/executions";

export default function ExecutionsPage() {
  const [{ open: _, ...filters }] = usePageSearch();
  const query = useListQuery(queryOf);
  const source = useMemo(
    () =>
      pagedSource<Execution>(["executions", query], async (at, signal) => {
        const answer = await read(api.GET(PATH, { params: { query: { ...query, ...at } }, signal }));
        return { rows: answer.executions, pagination: answer.pagination };
      }),
    [query],
  );
  return (
    <ListPage
      title="Executions"
      label="Executions"
      path={PATH}
      query={query}
      name="executions"
      source={source}
      columns={useColumns()}
      fields={useFields(filters)}
      rowId={(row) => String(row.id)}
      time="executionTimestamp"
      details={(id, close) => <ExecutionDetails key={id} id={id} onClose={close} />}
      empty={
        <Empty title="No execution matches">
          {Object.keys(filters).length > 0
            ? "Clear a filter to see more."
            : "Submit an order to see its executions."}
        </Empty>
      }
    />
  );
}

function useFields(filters: Record<string, string>): FilterField[] {
  const { data: summary } = useSummary();
  const destinations = useDestinations();
  const fields: FilterField[] = [
    {
      name: "state",
      label: "State",
      kind: "states",
      options: STATES.map((value) => ({
        value,
        count: summary && compactText(summary.counts[value as SubmissionState]),
      })),
    },
    { name: "ticker", label: "Ticker", kind: "text" },
    { name: "orderId", label: "Order id", kind: "number" },
    { name: "code", label: "Code", kind: "text" },
    {
      name: "destination",
      label: "Destination",
      kind: "choice",
      options: [["", "Any"], ...destinations.map((one) => [one.abbreviation, one.abbreviation] as const)],
    },
    { name: "time", label: "Created", kind: "period", from: "from", to: "to" },
  ];
  if (filters.maxId) fields.push({ name: "maxId", label: "Up to id", kind: "number" });
  if (filters.minId) fields.push({ name: "minId", label: "From id", kind: "number" });
  if (filters.tradeOrderId) fields.push({ name: "tradeOrderId", label: "Trade order", kind: "number" });
  return fields;
}

function useColumns(): Column<Execution>[] {
  const zone = useZone();
  return useMemo(
    () => [
      {
        id: "id",
        header: "Id",
        width: "80px",
        narrow: true,
        narrowWidth: "4.6rem",
        sort: "id",
        cell: (row) => <span className="figure">{row.id}</span>,
      },
      {
        id: "state",
        header: "State",
        width: "108px",
        narrow: true,
        narrowWidth: "6.6rem",
        cell: (row) => <StateBadge state={row.submissionState} />,
      },
      {
        id: "code",
        header: "Code",
        width: "minmax(112px, 1fr)",
        cell: (row) => (row.code ? <code>{row.code}</code> : <span className="muted">–</span>),
      },
      { id: "side", header: "Side", width: "56px", cell: (row) => row.tradeType?.abbreviation ?? "–" },
      {
        id: "ticker",
        header: "Ticker",
        width: "minmax(72px, 0.5fr)",
        narrow: true,
        narrowWidth: "minmax(0, 1fr)",
        sort: "security.ticker",
        cell: (row) => <strong>{row.tradeOrder.security.ticker}</strong>,
      },
      {
        id: "quantity",
        header: "Quantity",
        width: "minmax(96px, 0.5fr)",
        align: "end",
        narrow: true,
        narrowWidth: "minmax(0, 1fr)",
        sort: "quantityOrdered",
        cell: (row) => <Figure value={row.quantityOrdered} />,
      },
      {
        id: "time",
        header: `Created, ${zone}`,
        width: "152px",
        sort: "executionTimestamp",
        cell: (row) => <Moment at={row.executionTimestamp} short />,
      },
      {
        id: "filled",
        header: "Filled",
        width: "minmax(72px, 0.4fr)",
        align: "end",
        sort: "quantityFilled",
        cell: (row) => <Figure value={row.quantityFilled} />,
      },
      {
        id: "destination",
        header: "To",
        width: "64px",
        sort: "destination.abbreviation",
        cell: (row) => row.destination.abbreviation,
      },
      {
        id: "order",
        header: "Order id",
        width: "96px",
        cell: (row) => <span className="figure">{row.tradeOrder.orderId}</span>,
      },
      {
        id: "status",
        header: "Status",
        width: "72px",
        sort: "executionStatus.abbreviation",
        cell: (row) => row.executionStatus.abbreviation,
      },
    ],
    [zone],
  );
}
