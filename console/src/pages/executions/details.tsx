/** One execution: why it is where it is, its facts, its history, and what may be done. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, read } from "../../api/client";
import type { Execution } from "../../api/contract";
import { useMay } from "../../app/me";
import { Link } from "../../app/router";
import { Button } from "../../ui/button";
import { CopyButton } from "../../ui/copy";
import { Facts, SidePanel } from "../../ui/side-panel";
import { Loading, Problem } from "../../ui/states";
import { Timeline } from "../../ui/timeline";
import { decimalText, Figure, Moment, StateBadge } from "../../ui/values";
import { type HistoryEntry, historyOf, reasonOf } from "./model";
import { RequeueDialog } from "./requeue";

const OPEN = new Set(["queued", "claimed", "retry", "unknown"]);

export function ExecutionDetails({ id, onClose }: { id: string; onClose: () => void }) {
  const [isRequeueing, setRequeueing] = useState(false);
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
              <Button kind="primary" onClick={() => setRequeueing(true)}>
                Requeue …
              </Button>
            )}
            {canResolve && (
              <Link className="button button-primary" to="/needs-you" search={{ open: id }}>
                Settle it …
              </Link>
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
      {isRequeueing && <RequeueDialog id={id} onClose={() => setRequeueing(false)} />}
    </SidePanel>
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
        <p className="muted executions-facts">
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
