/** Failed executions one by one, the latest first. */

import { useMemo } from "react";
import { api, read } from "../../api/client";
import type { components } from "../../api/schema";
import { type Column, DataGrid } from "../../ui/data-grid";
import type { RowSource } from "../../ui/pages-of-rows";
import { toggled } from "../../ui/selection";
import { Empty } from "../../ui/states";
import { Figure, Moment, StateBadge, useZone } from "../../ui/values";
import { type FailureQuery, reasonText } from "./model";

type Failed = components["schemas"]["FailedExecutionAnswer"];

interface RowsProps {
  query: FailureQuery;
  openId?: string;
  onOpen: (id: string) => void;
  selected: ReadonlySet<string>;
  /** undefined: nothing can be selected. */
  onSelected?: (selected: ReadonlySet<string>) => void;
}

export function Rows({ query, openId, onOpen, selected, onSelected }: RowsProps) {
  const source = useMemo<RowSource<Failed>>(
    () => ({
      key: ["failures", "executions", query],
      hasOffset: false,
      page: async ({ cursor, limit, signal }) => {
        const at = cursor === null ? {} : { cursor };
        const answer = await read(
          api.GET("/api/v2/failures/executions", { params: { query: { ...query, ...at, limit } }, signal }),
        );
        return { rows: answer.executions, nextCursor: answer.nextCursor, total: answer.total };
      },
    }),
    [query],
  );
  return (
    <DataGrid
      label="Failed executions"
      source={source}
      columns={useColumns()}
      rowId={idOf}
      openId={openId}
      onOpen={(row) => onOpen(idOf(row))}
      selected={selected}
      onSelect={onSelected && ((row) => onSelected(toggled(selected, idOf(row))))}
      onSelectAll={onSelected && ((rows) => onSelected(new Set(rows.map(idOf))))}
      empty={
        <Empty title="Nothing failed for this reason">Those that did were requeued or accepted since.</Empty>
      }
    />
  );
}

const idOf = (row: Failed) => String(row.executionId);

function useColumns(): Column<Failed>[] {
  const zone = useZone();
  return useMemo(
    () => [
      {
        id: "id",
        header: "Id",
        width: "84px",
        narrow: true,
        narrowWidth: "3.8rem",
        cell: (row) => <span className="figure">{row.executionId}</span>,
      },
      {
        id: "state",
        header: "State",
        width: "104px",
        narrow: true,
        narrowWidth: "6.2rem",
        cell: (row) => <StateBadge state={row.state} />,
      },
      {
        id: "ticker",
        header: "Ticker",
        width: "minmax(72px, 0.5fr)",
        narrow: true,
        narrowWidth: "minmax(0, 1fr)",
        cell: (row) => <strong>{row.ticker}</strong>,
      },
      {
        id: "quantity",
        header: "Quantity",
        width: "minmax(84px, 0.5fr)",
        align: "end",
        narrow: true,
        narrowWidth: "5rem",
        cell: (row) => <Figure value={row.quantity} />,
      },
      { id: "destination", header: "To", width: "64px", cell: (row) => row.destination },
      {
        id: "order",
        header: "Order id",
        width: "92px",
        cell: (row) => <span className="figure">{row.orderId}</span>,
      },
      {
        id: "time",
        header: `Failed, ${zone}`,
        width: "124px",
        cell: (row) => <Moment at={row.failedAt} short />,
      },
      {
        id: "message",
        header: "Reason",
        width: "minmax(180px, 3fr)",
        cell: (row) => (
          <span title={`${row.code}: ${row.message}`}>
            <code>{row.code}</code> {reasonText(row.code, row.message)}
          </span>
        ),
      },
    ],
    [zone],
  );
}
