import { type ReactNode, useMemo } from "react";
import { api, read } from "../../api/client";
import type { AuditEntry } from "../../api/contract";
import type { paths } from "../../api/schema";
import { Link } from "../../app/router";
import { CopyButton } from "../../ui/copy";
import type { Column } from "../../ui/data-grid";
import type { FilterField } from "../../ui/filter-bar";
import { Facts } from "../../ui/side-panel";
import { Empty } from "../../ui/states";
import { decimalText, Moment, useZone } from "../../ui/values";
import { Records } from "./records";

const PATH = "/api/v2/audit-log";
type Query = NonNullable<paths["/api/v2/audit-log"]["get"]["parameters"]["query"]>;
const ACTIONS = [
  "create",
  "update",
  "delete",
  "submit",
  "fill",
  "resolve",
  "requeue",
  "pause",
  "resume",
  "recover",
  "archive",
  "rotate",
  "revoke",
] as const;
const OBJECTS = [
  "tradeOrder",
  "execution",
  "blotter",
  "tradeType",
  "destination",
  "executionStatus",
  "apiKey",
  "logger",
  "sending",
  "archiveFile",
  "audit",
] as const;
const NAMES = ["actor", "action", "object", "objectId", "from", "to"] as const;
const choices = (values: readonly string[]) => [["", "Any"], ...values.map((one) => [one, one])] as const;
const FIELDS: readonly FilterField[] = [
  { name: "actor", label: "Who", kind: "text" },
  {
    name: "action",
    label: "Action",
    kind: "choice",
    options: choices(ACTIONS) as readonly (readonly [string, string])[],
  },
  {
    name: "object",
    label: "Object",
    kind: "choice",
    options: choices(OBJECTS) as readonly (readonly [string, string])[],
  },
  { name: "objectId", label: "Object id", kind: "number" },
  { name: "time", label: "At", kind: "period", from: "from", to: "to" },
];

const idOf = (row: AuditEntry) => String(row.id);

/** Who changed what, when, and from where. */
export function AuditLog({ views }: { views: ReactNode }) {
  return (
    <Records
      label="Audit log"
      path={PATH}
      name="audit-log"
      names={NAMES}
      fields={FIELDS}
      columns={useColumns()}
      rowId={idOf}
      read={readPage}
      views={views}
      heading="Change"
      details={(row) => <Details row={row} />}
      empty={<Empty title="No change matches">Clear a filter to see more.</Empty>}
    />
  );
}

async function readPage(
  query: Record<string, string>,
  at: { cursor?: string; limit: number },
  signal: AbortSignal,
) {
  const answer = await read(api.GET(PATH, { params: { query: { ...queryOf(query), ...at } }, signal }));
  return { rows: answer.entries, nextCursor: answer.nextCursor };
}

function queryOf(search: Record<string, string>): Query {
  const { actor, action, object, objectId, from, to } = search;
  return {
    actor,
    action: ACTIONS.find((one) => one === action),
    object: OBJECTS.find((one) => one === object),
    objectId: objectId ? Number(objectId) : undefined,
    from,
    to,
  };
}

function objectText(row: AuditEntry): string {
  const ids = row.objectIds.slice(0, 3).join(", ");
  const more = row.objectCount - Math.min(3, row.objectIds.length);
  const rest = ids && more > 0 ? ` and ${decimalText(more)} more` : "";
  return [row.object, row.objectName ?? "", ids + rest].filter(Boolean).join(" ");
}

function useColumns(): Column<AuditEntry>[] {
  const zone = useZone();
  return useMemo(
    () => [
      {
        id: "at",
        header: `At, ${zone}`,
        width: "136px",
        narrow: true,
        narrowWidth: "7.4rem",
        cell: (row) => <Moment at={row.at} short />,
      },
      {
        id: "actor",
        header: "Who",
        width: "minmax(112px, 0.6fr)",
        cell: (row) => row.actor || <span className="muted">not signed in</span>,
      },
      {
        id: "action",
        header: "Action",
        width: "88px",
        narrow: true,
        narrowWidth: "5rem",
        cell: (row) => <strong>{row.action}</strong>,
      },
      {
        id: "object",
        header: "Object",
        width: "minmax(160px, 1fr)",
        narrow: true,
        narrowWidth: "minmax(0, 1fr)",
        cell: objectText,
      },
      {
        id: "count",
        header: "How many",
        width: "96px",
        align: "end",
        cell: (row) => <span className="figure">{decimalText(row.objectCount)}</span>,
      },
      {
        id: "from",
        header: "From",
        width: "minmax(96px, 0.4fr)",
        cell: (row) => row.address ?? <span className="muted">–</span>,
      },
    ],
    [zone],
  );
}

function Details({ row }: { row: AuditEntry }) {
  return (
    <>
      <Facts
        facts={[
          ["Action", <strong key="action">{row.action}</strong>],
          ["Object", `${row.object}${row.objectName ? ` ${row.objectName}` : ""}`],
          ["At", <Moment key="at" at={row.at} />],
          ["Who", row.actor || "not signed in"],
          ["Known by", row.knownBy],
          row.address !== null && ["From", <code key="from">{row.address}</code>],
          row.requestId !== null && [
            "Request",
            <span key="request">
              <code>{row.requestId}</code> <CopyButton text={row.requestId} label="Copy the request id" />
            </span>,
          ],
          ["How many", decimalText(row.objectCount)],
        ]}
      />
      <Ids title="Ids" ids={row.objectIds} page={PAGES[row.object]} count={row.objectCount} />
      <Ids title="Trade orders" ids={row.tradeOrderIds} page="/orders" count={null} />
      {row.details !== null && (
        <section aria-label="Details">
          <h3>Details</h3>
          {/* A scrolling region must be reachable by keyboard. */}
          <pre tabIndex={0} role="region" aria-label="Details as JSON">
            {JSON.stringify(row.details, null, 2)}
          </pre>
        </section>
      )}
    </>
  );
}

const PAGES: Record<string, string> = { execution: "/executions", tradeOrder: "/orders" };

interface IdsProps {
  title: string;
  ids: readonly number[];
  page: string | undefined;
  count: number | null;
}

function Ids({ title, ids, page, count }: IdsProps) {
  if (ids.length === 0) return null;
  return (
    <section aria-label={title}>
      <h3>
        {title}
        {count !== null && count > ids.length && `: the first ${ids.length} of ${decimalText(count)}`}
      </h3>
      <p className="audit-links">
        {ids.map((id) =>
          page === undefined ? (
            <span key={id}>{id}</span>
          ) : (
            <Link key={id} to={page} search={{ open: String(id) }}>
              {id}
            </Link>
          ),
        )}
      </p>
    </section>
  );
}
