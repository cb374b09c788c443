import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, read } from "../../api/client";
import type { Audit, AuditRun, Summary } from "../../api/contract";
import { useSummary } from "../../api/queries";
import { Link } from "../../app/router";
import { ActionDialog, type Effect } from "../../ui/action-dialog";
import { CopyButton } from "../../ui/copy";
import { Facts, SidePanel } from "../../ui/side-panel";
import { Empty, Loading, Problem } from "../../ui/states";
import { decimalText, durationText, Figure, Moment, useZone } from "../../ui/values";
import { BOOKS, byCount, FINDINGS, findingsOf, NOTES, STATUS } from "./model";

/** The audits that were run, the newest first. */
export function Audits({ open }: { open: string | undefined }) {
  const zone = useZone();
  const [limit, setLimit] = useState(25);
  const audits = useQuery({
    queryKey: ["audits", limit],
    queryFn: ({ signal }) => read(api.GET("/api/v2/audits", { params: { query: { limit } }, signal })),
    refetchInterval: 2_000,
    placeholderData: (before) => before,
  });
  if (audits.error && !audits.data)
    return <Problem error={audits.error} retry={() => void audits.refetch()} />;
  if (!audits.data) return <Loading label="Reading audits" />;
  if (audits.data.audits.length === 0) {
    return (
      <Empty title="No audit has been run here">
        An audit proves that nothing was lost and nothing was accepted twice. It changes nothing.
      </Empty>
    );
  }
  return (
    <>
      <table className="table audit-runs">
        <thead>
          <tr>
            <th scope="col">Started, {zone}</th>
            <th scope="col">Result</th>
            <th scope="col">Compared</th>
            <th scope="col" className="audit-wide">
              By
            </th>
          </tr>
        </thead>
        <tbody>
          {audits.data.audits.map((run) => (
            <tr key={run.id} className={run.id === open ? "is-open" : ""}>
              <td>
                <Link to="/audit" search={{ open: run.id }} aria-label={`Audit of ${run.startedAt}`}>
                  <Moment at={run.startedAt} short />
                </Link>
              </td>
              <td>
                <Status run={run} />
              </td>
              <td>
                {BOOKS[run.book]}
                {run.ledgerRows !== null && `: ${decimalText(run.ledgerRows)} rows`}
              </td>
              <td className="audit-wide">{run.startedBy || <span className="muted">not signed in</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {audits.data.nextCursor !== null && limit < 100 && (
        <button type="button" className="button audit-more" onClick={() => setLimit(100)}>
          Show older ones
        </button>
      )}
    </>
  );
}

function Status({ run }: { run: AuditRun }) {
  const { text, className } = STATUS[run.status];
  const count = findingsOf(run);
  return (
    <span className={`badge ${className}`}>
      {run.status === "FINDINGS" ? `${decimalText(count)} ${count === 1 ? "finding" : "findings"}` : text}
    </span>
  );
}

/** One audit: its progress while it runs, then what it found. */
export function AuditDetails({ id, onClose }: { id: string; onClose: () => void }) {
  const audit = useQuery({
    queryKey: ["audit", id],
    queryFn: ({ signal }) => read(api.GET("/api/v2/audits/{id}", { params: { path: { id } }, signal })),
    refetchInterval: (query) => (query.state.data?.finishedAt ? false : 2_000),
  });
  return (
    <SidePanel label="Audit" title={<>Audit {audit.data && <Status run={audit.data} />}</>} onClose={onClose}>
      {audit.data ? (
        <AuditView audit={audit.data} />
      ) : audit.error ? (
        <Problem error={audit.error} retry={() => void audit.refetch()} />
      ) : (
        <Loading label="Reading the audit" />
      )}
    </SidePanel>
  );
}

function AuditView({ audit }: { audit: Audit }) {
  const { balance } = audit;
  const end = audit.finishedAt ? Date.parse(audit.finishedAt) : Date.now();
  return (
    <>
      {audit.status === "RUNNING" && <Progress audit={audit} />}
      {audit.message && <p className={`callout ${STATUS[audit.status].className}`}>{audit.message}</p>}
      <Facts
        facts={[
          ["Compared", BOOKS[audit.book]],
          ["Started", <Moment key="at" at={audit.startedAt} />],
          ["Took", durationText(end - Date.parse(audit.startedAt))],
          ["Started by", audit.startedBy || "not signed in"],
          ["Runs on", <code key="replica">{audit.replica}</code>],
          audit.ledgerRows !== null && ["Ledger rows", <Figure key="rows" value={audit.ledgerRows} />],
          [
            "Id",
            <span key="id">
              <code>{audit.id}</code> <CopyButton text={audit.id} label="Copy the id" />
            </span>,
          ],
        ]}
      />
      {Object.keys(audit.counts).length > 0 && (
        <Counts title="Checked, and found" counts={audit.counts} words={FINDINGS} isFinding />
      )}
      <Findings audit={audit} />
      {Object.keys(audit.notes).length > 0 && (
        <Counts title="Worth a mention, not wrong" counts={audit.notes} words={NOTES} />
      )}
      {balance && (
        <section aria-label="Balance">
          <h3>Balance</h3>
          <Facts
            facts={[
              ["Orders", <Figure key="orders" value={balance.orders} />],
              ["Executions", <Figure key="executions" value={balance.executions} />],
              ["Submitted", <Figure key="submitted" value={balance.submitted} />],
              ["Quantity sent", <Figure key="sent" value={balance.quantitySent} />],
              ["Quantity held", <Figure key="held" value={balance.quantityHeld} />],
              (balance.archived ?? 0) > 0 && ["Archived", <Figure key="archived" value={balance.archived} />],
            ]}
          />
        </section>
      )}
    </>
  );
}

function Progress({ audit }: { audit: Audit }) {
  const { data: summary } = useSummary();
  const most = summary?.counts.accepted ?? 0;
  return (
    <div className="audit-progress" role="status">
      {audit.ledgerRows === null ? (
        "Reading the database …"
      ) : (
        <>
          {decimalText(audit.ledgerRows)} rows of the ledger compared
          {most > 0 && `, of about ${decimalText(most)}`} …
          <progress value={Math.min(audit.ledgerRows, most)} max={most || 1} aria-label="Progress" />
        </>
      )}
    </div>
  );
}

interface CountsProps {
  title: string;
  counts: Record<string, number>;
  words: Record<string, string>;
  isFinding?: boolean;
}

function Counts({ title, counts, words, isFinding = false }: CountsProps) {
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      <ul className="audit-counts">
        {byCount(counts).map(([kind, count]) => (
          <li key={kind}>
            <span>{words[kind] ?? kind}</span>
            <strong className={`figure ${isFinding && count > 0 ? "text-danger" : ""}`}>
              {decimalText(count)}
            </strong>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Findings({ audit }: { audit: Audit }) {
  const total = findingsOf(audit);
  if (audit.findings.length === 0) return null;
  return (
    <section aria-label="Findings">
      <h3>
        Findings
        {total > audit.findings.length && `: the first ${audit.findings.length} of ${decimalText(total)}`}
      </h3>
      <ul className="audit-findings">
        {audit.findings.map((one) => (
          <li key={`${one.kind} ${one.message}`}>
            <span>{one.message}</span>
            <span className="audit-links">
              {one.executionIds.map((id) => (
                <Link key={id} to="/executions" search={{ open: String(id) }}>
                  Execution {id}
                </Link>
              ))}
              {one.tradeOrderId !== null && (
                <Link to="/orders" search={{ open: String(one.tradeOrderId) }}>
                  Trade order {one.tradeOrderId}
                </Link>
              )}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface RunDialogProps {
  onStarted: (id: string) => void;
  onClose: () => void;
}

export function RunDialog({ onStarted, onClose }: RunDialogProps) {
  const [book, setBook] = useState<"database" | "both">("both");
  const { data: summary } = useSummary();
  const run = async (): Promise<Effect> => {
    const started = await read(api.POST("/api/v2/audits", { body: { book } }));
    onStarted(started.id);
    return { heading: "Started", summary: "The audit started. Its findings appear beside the list." };
  };
  return (
    <ActionDialog
      title="Run an audit"
      needsReason={false}
      inputs={book}
      fields={
        <fieldset>
          <legend className="hidden">What to compare</legend>
          {(["both", "database"] as const).map((one) => (
            <label key={one} className="check">
              <input type="radio" name="book" checked={book === one} onChange={() => setBook(one)} />
              {BOOKS[one]}
            </label>
          ))}
        </fieldset>
      }
      confirm={() => "Start the audit"}
      dryRun={null}
      run={run}
      onClose={onClose}
    >
      <p>
        Checks the sums in the database; with the ledger, also compares it execution by execution: nothing
        lost, nothing accepted twice.
      </p>
      <p>Reads {rowsText(summary, book)} in the background, which may take minutes. It changes nothing.</p>
    </ActionDialog>
  );
}

function rowsText(summary: Summary | undefined, book: "database" | "both"): string {
  if (!summary) return "whole tables";
  const executions = Object.values(summary.counts).reduce((sum, count) => sum + count, 0);
  const ledger =
    book === "both" ? ` and ${decimalText(summary.counts.accepted ?? 0)} rows of the ledger` : "";
  return `about ${decimalText(executions)} executions${ledger}`;
}
