/** What the page of audits knows in words, and how short pages become full ones. */

import type { AuditRun } from "../../api/contract";
import type { Search } from "../../app/location";

export const VIEWS = [
  ["audits", "Audits"],
  ["evidence", "Evidence"],
  ["log", "Audit log"],
] as const;
export type View = (typeof VIEWS)[number][0];

export function viewOf(text: string | undefined): View {
  return VIEWS.find(([name]) => name === text)?.[0] ?? "audits";
}

export const FINDINGS: Record<string, string> = {
  unbalanced: "States that do not add up",
  quantity: "Orders whose quantitySent is not the sum over their executions",
  accepted_without_id: "Accepted without an executionServiceId",
  stranded: "Not final, and nothing will advance them",
  accepted_twice: "Accepted twice",
  missing_downstream: "Lost: accepted here, missing in the ledger",
  extra_downstream: "In the ledger, but not accepted here",
  different: "Different in the ledger",
  archive_differs: "Archive files that do not match the archived executions",
  impossible_id: "In the ledger under an id that cannot exist",
};

export const NOTES: Record<string, string> = {
  in_flight: "Executions in the ledger that are still open here: reconciliation will settle them",
  foreign: "Executions in the ledger that are not ours",
  earlier_life: "Executions in the ledger from an earlier life of this database",
  old_rows: "Executions that the legacy service sent",
  old_orders: "Orders of the legacy service whose quantitySent is not the sum over their executions",
  idle_attempts: "Attempts whose executions later attempts have settled: recovery closes them",
  failed_differ: "Executions that the list of failures lacks or has wrongly: a daily check corrects it",
  archived: "Executions in the ledger that were archived here: compared like the others",
};

export const BOOKS: Record<string, string> = {
  database: "The database alone",
  both: "The database and the Execution Service's ledger",
};

export const STATUS: Record<AuditRun["status"], { text: string; className: string }> = {
  RUNNING: { text: "running", className: "state-claimed" },
  CLEAN: { text: "clean", className: "state-accepted" },
  FINDINGS: { text: "findings", className: "state-rejected" },
  FAILED: { text: "failed", className: "state-unknown" },
};

export function findingsOf(run: { counts: Record<string, number> }): number {
  return Object.values(run.counts).reduce((sum, count) => sum + count, 0);
}

/** Findings first, the most of them at the top; then what was checked and is in order. */
export function byCount(counts: Record<string, number>): [kind: string, count: number][] {
  return Object.entries(counts).toSorted(([, one], [, other]) => other - one);
}

/** The search without what names the view and the open row: the filters of the API. */
export function filtersOf(search: Search, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (search[name] ? [[name, search[name]]] : [])));
}

export interface Part<Row> {
  rows: readonly Row[];
  nextCursor: string | null;
}

const MOST_READS = 20;

/** A full page of a list whose pages may be short and still not the last. */
export async function filled<Row>(
  read: (cursor: string | undefined, limit: number) => Promise<Part<Row>>,
  cursor: string | null,
  limit: number,
): Promise<Part<Row>> {
  const rows: Row[] = [];
  let next = cursor;
  for (let reads = 0; reads < MOST_READS; reads++) {
    const part = await read(next ?? undefined, limit - rows.length);
    rows.push(...part.rows);
    next = part.nextCursor;
    if (next === null || rows.length >= limit) break;
  }
  return { rows, nextCursor: next };
}
