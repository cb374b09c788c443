/** One execution: why it is where it is, its facts, its history, and what may be done. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, read } from "../api/client";
import type { Execution } from "../api/contract";
import { useMay } from "../app/me";
import { Link } from "../app/router";
import { Button } from "./button";
import { CopyButton } from "./copy";
import { type HistoryEntry, historyOf, reasonOf } from "./execution-history";
import { RequeueDialog } from "./requeue-dialog";
import { questionOf, type Subject } from "./resolution";
import { ResolveDialog } from "./resolve-dialog";
import { Facts, SidePanel } from "./side-panel";
import { Loading, Problem } from "./states";
import { Timeline } from "./timeline";
import { decimalText, Figure, Moment, StateBadge } from "./values";

const OPEN = new Set(["queued", "claimed", "retry", "unknown"]);

export function ExecutionDetails({ id, onClose }: { id: string; onClose: () => void }) {
  const [action, setAction] = useState<"requeue" | "resolve" | null>(null);
  const mayOperate = useMay("operator");
  const path = { params: { path: { id: Number(id) } } };
  const execution = useQuery({
    queryKey: ["execution", id],
    queryFn: ({ signal }) => read(api.GET("/api/v2/executions/{id}", { ...path, signal })),
    refetchInterval: 2_000,
  });
  const history = useQuery({
    queryKey: ["attempts", id],
    queryFn: ({ signal }) => read(api.GET("/api/v2/executions/{id}/attempts", { ...path, signal })),
    refetchInterval: (query) => (OPEN.has(query.state.data?.state ?? "") ? 2_000 : 10_000),
  });
  const state = history.data?.state ?? execution.data?.submissionState;
  const error = execution.error ?? history.error;
  const canRequeue = mayOperate && (state === "rejected" || state === "exhausted");
  const canResolve = mayOperate && state === "unknown";
  const reason = history.data ? reasonOf(history.data) : null;
  const newest = history.data?.attempts.find((one) => one.isNewest);
  // No reading of the ledger settles what was sent before its ids restarted.
  const needsPerson = state === "unknown" && newest?.floorVoid;
  return (
    <SidePanel
      label={`Execution ${id}`}
      title={
        <>
          <span>
            Execution <span className="figure">{id}</span>
          </span>
          <CopyButton text={id} label="Copy the id" />
          {state && <StateBadge state={state} />}
        </>
      }
      onClose={onClose}
      actions={
        canRequeue || canResolve ? (
          <>
            {canRequeue && (
              <Button kind="primary" onClick={() => setAction("requeue")}>
                Requeue …
              </Button>
            )}
            {canResolve && (
              <Button kind="primary" onClick={() => setAction("resolve")}>
                Resolve …
              </Button>
            )}
          </>
        ) : undefined
      }
    >
      {error && !execution.data ? (
        <Problem error={error} retry={() => void execution.refetch()} />
      ) : !execution.data || !history.data ? (
        <Loading />
      ) : (
        <>
          {reason && <p className={`callout state-${state}`}>{reason}</p>}
          {needsPerson && <Question text={questionOf(execution.data, history.data)} />}
          <ExecutionFacts execution={execution.data} />
          <section>
            <h3>History</h3>
            <Timeline
              label="History"
              items={historyOf(execution.data, history.data).map((entry) => ({
                id: entry.id,
                at: entry.at,
                tone: entry.tone,
                title: (
                  <>
                    {entry.title} {entry.state && <StateBadge state={entry.state} />}
                  </>
                ),
                body: <EntryBody entry={entry} />,
              }))}
            />
          </section>
        </>
      )}
      {action === "requeue" && <RequeueDialog id={id} onClose={() => setAction(null)} />}
      {action === "resolve" && (
        <ResolveDialog id={id} subject={subjectOf(execution.data)} onClose={() => setAction(null)} />
      )}
    </SidePanel>
  );
}

function subjectOf(execution: Execution | undefined): Subject | null {
  return execution ? { quantity: execution.quantityOrdered, orderId: execution.tradeOrder.orderId } : null;
}

/** What only the operators of the Execution Service can say. */
function Question({ text }: { text: string }) {
  return (
    <section>
      <h3>
        Ask the operators of the Execution Service <CopyButton text={text} label="Copy the question" />
      </h3>
      <p>{text}</p>
      <p className="muted">Then resolve it with what they say.</p>
    </section>
  );
}

function EntryBody({ entry }: { entry: HistoryEntry }) {
  return (
    <>
      {(entry.code || entry.message) && (
        <p>
          {entry.code && <code>{entry.code}</code>} {entry.message}
        </p>
      )}
      {entry.facts.length > 0 && (
        <p className="muted history-facts">
          {entry.facts.map(([name, value]) => (
            <span key={name}>
              {name}{" "}
              {name === "Attempt id" ? (
                <>
                  <code>{value.slice(0, 13)}…</code> <CopyButton text={value} label="Copy the attempt id" />
                </>
              ) : /(until|action)$/.test(name) ? (
                <Moment at={value} short />
              ) : (
                value
              )}
            </span>
          ))}
        </p>
      )}
    </>
  );
}

function ExecutionFacts({ execution }: { execution: Execution }) {
  const { tradeOrder: order } = execution;
  return (
    <Facts
      facts={[
        [
          "Order",
          <Link key="order" to="/orders" search={{ open: String(order.id) }}>
            {order.orderId}
          </Link>,
        ],
        ["Security", `${execution.tradeType?.abbreviation ?? ""} ${order.security.ticker}`],
        ["Portfolio", order.portfolio.name],
        ["Destination", `${execution.destination.abbreviation} (${execution.destination.description})`],
        ["Quantity", <Figure key="ordered" value={execution.quantityOrdered} />],
        [
          "Placed, filled",
          `${decimalText(execution.quantityPlaced)}, ${decimalText(execution.quantityFilled)}`,
        ],
        execution.limitPrice !== null && ["Limit", <Figure key="limit" value={execution.limitPrice} />],
        ["Status", `${execution.executionStatus.abbreviation} (${execution.executionStatus.description})`],
        execution.executionServiceId !== null && [
          "Id there",
          <span key="there" className="figure">
            {execution.executionServiceId}{" "}
            <CopyButton text={String(execution.executionServiceId)} label="Copy the id there" />
          </span>,
        ],
        execution.code !== null && ["Code", <code key="code">{execution.code}</code>],
      ]}
    />
  );
}
