import { useCallback, useMemo, useRef, useState } from "react";
import { api, read } from "../../api/client";
import { useSummary } from "../../api/queries";
import type { components } from "../../api/schema";
import { useCommands } from "../../app/commands";
import { usePageSearch } from "../../app/location";
import { useMay } from "../../app/me";
import { Link } from "../../app/router";
import { Button } from "../../ui/button";
import { type Column, DataGrid } from "../../ui/data-grid";
import { ExecutionDetails } from "../../ui/execution-details";
import { ExportButtons } from "../../ui/export-buttons";
import { FilterBar, type FilterField } from "../../ui/filter-bar";
import { Page } from "../../ui/page";
import type { RowSource } from "../../ui/pages-of-rows";
import { ResolveManyDialog } from "../../ui/resolve-dialog";
import { toggled } from "../../ui/selection";
import { Empty } from "../../ui/states";
import { Code, compactText, Figure, Moment, useZone } from "../../ui/values";
import "./needs-you.css";

type Unknown = components["schemas"]["UnknownAnswer"];

const PATH = "/api/v2/unknowns";
const FIELDS: readonly FilterField[] = [
  {
    name: "show",
    label: "Show",
    kind: "choice",
    options: [
      ["", "What only you can settle"],
      ["all", "All unknown outcomes"],
    ],
  },
];

export default function NeedsYouPage() {
  const [search, setSearch] = usePageSearch();
  const mayOperate = useMay("operator");
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const seen = useRef(new Map<string, Unknown>());
  const [isResolving, setResolving] = useState(false);
  const isAll = search.show === "all";
  const query = useMemo(() => (isAll ? {} : { needsPerson: true }), [isAll]);
  const source = useMemo<RowSource<Unknown>>(
    () => ({
      key: ["unknowns", query],
      hasOffset: false,
      page: async ({ cursor, limit, signal }) => {
        const at = cursor === null ? {} : { cursor };
        const answer = await read(api.GET(PATH, { params: { query: { ...query, ...at, limit } }, signal }));
        return { rows: answer.unknowns, nextCursor: answer.nextCursor, total: answer.total };
      },
    }),
    [query],
  );
  const close = useCallback(() => setSearch({ open: undefined }), [setSearch]);
  const idOf = (row: Unknown) => {
    const id = String(row.executionId);
    seen.current.set(id, row);
    return id;
  };
  const select = (row: Unknown) => setSelected((now) => toggled(now, idOf(row)));
  const canResolve = mayOperate && selected.size > 0;
  useCommands(
    useMemo(
      () =>
        canResolve
          ? [
              {
                id: "resolve",
                title: "Resolve what is selected as not accepted",
                hotkey: "r",
                run: () => setResolving(true),
              },
            ]
          : [],
      [canResolve],
    ),
  );
  return (
    <Page
      title="Needs you"
      note={<Note isHinting={mayOperate && selected.size === 0} />}
      isFull
      actions={
        <>
          {canResolve && (
            <Button kind="primary" hint="r" onClick={() => setResolving(true)}>
              Resolve {selected.size.toLocaleString("en")} as not accepted …
            </Button>
          )}
          <ExportButtons path={PATH} query={isAll ? {} : { needsPerson: "true" }} name="unknowns" />
        </>
      }
      filters={
        <FilterBar
          fields={FIELDS}
          search={search}
          onChange={(changes, options) => {
            setSelected(new Set());
            setSearch(changes, options);
          }}
        />
      }
      aside={search.open && <ExecutionDetails key={search.open} id={search.open} onClose={close} />}
    >
      <DataGrid
        label="Unknown outcomes"
        source={source}
        columns={useColumns()}
        rowId={(row) => String(row.executionId)}
        openId={search.open}
        onOpen={(row) => setSearch({ open: String(row.executionId) }, { replace: search.open !== undefined })}
        selected={selected}
        onSelect={mayOperate ? select : undefined}
        onSelectAll={(rows) => setSelected(new Set(rows.map(idOf)))}
        isTall
        empty={<Nothing isAll={isAll} />}
      />
      {isResolving && (
        <ResolveManyDialog
          executions={[...selected].flatMap((id) => seen.current.get(id) ?? [])}
          onClose={() => {
            setResolving(false);
            setSelected(new Set());
          }}
        />
      )}
    </Page>
  );
}

function Note({ isHinting }: { isHinting: boolean }) {
  const { data } = useSummary();
  if (!data) return null;
  const hint = isHinting && data.needsYou > 0 ? "Open one, or select several, to resolve." : "";
  return <>{[noteOf(data.needsYou, data.counts.unknown ?? 0), hint].filter(Boolean).join(". ")}</>;
}

/** How many unknown outcomes wait for no person. */
function othersOf(needsYou: number, unknown: number): number {
  return Math.max(0, unknown - needsYou);
}

function noteOf(needsYou: number, unknown: number): string {
  const others = othersOf(needsYou, unknown);
  if (others === 0) return "";
  const rest = `the service settles ${compactText(others)} more unknown outcomes by itself`;
  return needsYou === 0 ? rest : `${compactText(needsYou)} wait for you; ${rest}`;
}

function Nothing({ isAll }: { isAll: boolean }) {
  const { data } = useSummary();
  const others = data ? othersOf(data.needsYou, data.counts.unknown ?? 0) : 0;
  if (isAll || others === 0) {
    return <Empty title="Nothing waits for you">Every outcome is known, or will be without you.</Empty>;
  }
  return (
    <Empty title="Nothing waits for you">
      <p>The service settles {compactText(others)} unknown outcomes by reading the ledger.</p>
      <p>
        <Link to="/needs-you" search={{ show: "all" }}>
          Show them
        </Link>
      </p>
    </Empty>
  );
}

function useColumns(): Column<Unknown>[] {
  const zone = useZone();
  return useMemo(
    () => [
      {
        id: "id",
        header: "Id",
        width: "80px",
        narrow: true,
        narrowWidth: "3.6rem",
        cell: (row) => <span className="figure">{row.executionId}</span>,
      },
      {
        id: "waits",
        header: "Waits for",
        width: "minmax(280px, 4fr)",
        narrow: true,
        narrowWidth: "minmax(0, 1.4fr)",
        cell: (row) => (
          <span title={row.waitsFor} className={row.needsPerson ? "needs-you-person" : undefined}>
            {row.waitsFor}
          </span>
        ),
      },
      {
        id: "ticker",
        header: "Ticker",
        width: "minmax(72px, 0.4fr)",
        narrow: true,
        narrowWidth: "4.4rem",
        cell: (row) => <strong>{row.ticker}</strong>,
      },
      {
        id: "quantity",
        header: "Quantity",
        width: "minmax(84px, 0.4fr)",
        align: "end",
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
        id: "code",
        header: "Last code",
        width: "minmax(128px, 0.6fr)",
        cell: (row) => (row.lastCode ? <Code text={row.lastCode} /> : <span className="muted">–</span>),
      },
      {
        id: "since",
        header: `Since, ${zone}`,
        width: "132px",
        cell: (row) => <Moment at={row.openSince} short />,
      },
      {
        id: "lookUps",
        header: "Look-ups",
        width: "84px",
        align: "end",
        cell: (row) => <span className="figure">{row.lookUps}</span>,
      },
    ],
    [zone],
  );
}
