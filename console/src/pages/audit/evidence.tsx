import { type ReactNode, useCallback, useMemo } from "react";
import { api, read } from "../../api/client";
import type { FoundEvidence } from "../../api/contract";
import { parseSearch, stringifySearch, usePageSearch } from "../../app/location";
import { Link } from "../../app/router";
import { type Column, DataGrid } from "../../ui/data-grid";
import { ExportButtons } from "../../ui/export-buttons";
import { FilterBar, type FilterField } from "../../ui/filter-bar";
import { Page } from "../../ui/page";
import type { RowSource } from "../../ui/pages-of-rows";
import { Facts, SidePanel } from "../../ui/side-panel";
import { Empty, Loading } from "../../ui/states";
import { Moment, StateBadge, useZone } from "../../ui/values";
import { filled, filtersOf } from "./model";
import { useOpenRow } from "./open-row";

const PATH = "/api/v2/evidence";
const CODES = ["RESOLVED", "REQUEUED", "RECOVERED", "ACCEPTED_LATE", "FILL_FETCHED", "FILL_REFUSED"] as const;
const NAMES = ["executionId", "code", "from", "to"] as const;
const FIELDS: readonly FilterField[] = [
  { name: "executionId", label: "Execution", kind: "number" },
  {
    name: "code",
    label: "Code",
    kind: "choice",
    options: [["", "Any"], ...CODES.map((code) => [code, code] as const)],
  },
  { name: "time", label: "Found", kind: "period", from: "from", to: "to" },
];

const idOf = (row: FoundEvidence) => `${row.executionId} ${row.code} ${row.foundAt}`;

/** What was found beside the attempts, and what operators decided. */
export function EvidenceView({ views }: { views: ReactNode }) {
  const [search, setSearch] = usePageSearch();
  const text = stringifySearch(filtersOf(search, NAMES));
  const query = useMemo(() => parseSearch(text), [text]);
  const { row, keep } = useOpenRow<FoundEvidence>(search.open, idOf);
  const source = useMemo<RowSource<FoundEvidence>>(
    () => ({
      key: ["evidence", query],
      hasOffset: false,
      page: async ({ cursor, limit, signal }) => {
        const page = await filled(
          async (at, count) => {
            const params = { query: { ...queryOf(query), cursor: at, limit: count } };
            const answer = await read(api.GET(PATH, { params, signal }));
            return { rows: answer.evidence, nextCursor: answer.nextCursor };
          },
          cursor,
          limit,
        );
        return { ...page, total: page.nextCursor === null && cursor === null ? page.rows.length : null };
      },
    }),
    [query],
  );
  const close = useCallback(() => setSearch({ open: undefined }), [setSearch]);
  return (
    <Page
      title="Audit"
      isFull
      actions={<ExportButtons path={PATH} query={query} name="evidence" />}
      filters={
        <>
          {views}
          <FilterBar fields={FIELDS} search={search} onChange={setSearch} />
        </>
      }
      aside={search.open && <Details row={row} onClose={close} />}
    >
      <DataGrid
        label="Evidence"
        source={source}
        columns={useColumns()}
        rowId={idOf}
        openId={search.open}
        onOpen={(one) => {
          keep(one);
          setSearch({ open: idOf(one) }, { replace: search.open !== undefined });
        }}
        empty={
          <Empty title="No evidence matches">
            It is kept where an execution was settled, requeued or recovered, or a late finding came in.
          </Empty>
        }
      />
    </Page>
  );
}

type EvidenceQuery = { executionId?: number; code?: (typeof CODES)[number]; from?: string; to?: string };

function queryOf(search: Record<string, string>): EvidenceQuery {
  const { executionId, code, from, to } = search;
  return {
    executionId: executionId ? Number(executionId) : undefined,
    code: CODES.find((one) => one === code),
    from,
    to,
  };
}

function useColumns(): Column<FoundEvidence>[] {
  const zone = useZone();
  return useMemo(
    () => [
      {
        id: "at",
        header: `Found, ${zone}`,
        width: "136px",
        narrow: true,
        narrowWidth: "5.5rem",
        cell: (row) => <Moment at={row.foundAt} short />,
      },
      {
        id: "execution",
        header: "Execution",
        width: "88px",
        narrow: true,
        narrowWidth: "5rem",
        cell: (row) => <span className="figure">{row.executionId}</span>,
      },
      {
        id: "code",
        header: "Code",
        width: "136px",
        narrow: true,
        narrowWidth: "minmax(0, 1fr)",
        cell: (row) => <code>{row.code}</code>,
      },
      {
        id: "before",
        header: "Before",
        width: "108px",
        cell: (row) =>
          row.stateBefore ? <StateBadge state={row.stateBefore} /> : <span className="muted">–</span>,
      },
      { id: "state", header: "After", width: "108px", cell: (row) => <StateBadge state={row.state} /> },
      {
        id: "actor",
        header: "By",
        width: "minmax(72px, 0.4fr)",
        cell: (row) => row.actor || <span className="muted">the service</span>,
      },
      { id: "message", header: "Message", width: "minmax(160px, 1fr)", cell: (row) => row.message },
    ],
    [zone],
  );
}

function Details({ row, onClose }: { row: FoundEvidence | null; onClose: () => void }) {
  return (
    <SidePanel label="Evidence" title="Evidence" onClose={onClose}>
      {row ? (
        <Facts
          facts={[
            ["Code", <code key="code">{row.code}</code>],
            ["Found", <Moment key="at" at={row.foundAt} />],
            [
              "Execution",
              <Link key="id" to="/executions" search={{ open: String(row.executionId) }}>
                {row.executionId}
              </Link>,
            ],
            ["Message", row.message],
            ["Source", row.source],
            [
              "By",
              row.actor ? `${row.actor}${row.actorKnownBy ? `, ${row.actorKnownBy}` : ""}` : "the service",
            ],
            row.stateBefore !== null && ["Before", <StateBadge key="before" state={row.stateBefore} />],
            ["After", <StateBadge key="state" state={row.state} />],
            row.executionServiceIdBefore !== null && ["Service id before", row.executionServiceIdBefore],
            row.executionServiceId !== null && ["Service id", row.executionServiceId],
            row.attemptId !== null && ["Attempt", <code key="attempt">{row.attemptId}</code>],
          ]}
        />
      ) : (
        <Loading label="Looking for it in the list" />
      )}
    </SidePanel>
  );
}
