import { type ReactNode, useMemo } from "react";
import { api, read } from "../../api/client";
import type { FoundEvidence } from "../../api/contract";
import { Link } from "../../app/router";
import type { Column } from "../../ui/data-grid";
import { actorText } from "../../ui/execution-history";
import type { FilterField } from "../../ui/filter-bar";
import { Facts } from "../../ui/side-panel";
import { Empty } from "../../ui/states";
import { Moment, StateBadge, useZone } from "../../ui/values";
import { Records } from "./records";

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
  return (
    <Records
      label="Evidence"
      path={PATH}
      name="evidence"
      names={NAMES}
      fields={FIELDS}
      columns={useColumns()}
      rowId={idOf}
      read={readPage}
      views={views}
      heading="Evidence"
      details={(row) => <Details row={row} />}
      empty={
        <Empty title="No evidence matches">
          It is kept where an execution was settled, requeued or recovered, or a late finding came in.
        </Empty>
      }
    />
  );
}

async function readPage(
  query: Record<string, string>,
  at: { cursor?: string; limit: number },
  signal: AbortSignal,
) {
  const answer = await read(api.GET(PATH, { params: { query: { ...queryOf(query), ...at } }, signal }));
  return { rows: answer.evidence, nextCursor: answer.nextCursor };
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
        narrowWidth: "7.4rem",
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

function Details({ row }: { row: FoundEvidence }) {
  return (
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
        ["By", actorText(row)],
        row.stateBefore !== null && ["Before", <StateBadge key="before" state={row.stateBefore} />],
        ["After", <StateBadge key="state" state={row.state} />],
        row.executionServiceIdBefore !== null && ["Service id before", row.executionServiceIdBefore],
        row.executionServiceId !== null && ["Service id", row.executionServiceId],
        row.attemptId !== null && ["Attempt", <code key="attempt">{row.attemptId}</code>],
      ]}
    />
  );
}
