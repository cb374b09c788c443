/** One order: its facts, how much of it was sent, and its executions. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, read } from "../../api/client";
import type { TradeOrder } from "../../api/contract";
import { useMay } from "../../app/me";
import { Link } from "../../app/router";
import { Button } from "../../ui/button";
import { CopyButton } from "../../ui/copy";
import { percentOf } from "../../ui/decimal";
import { Facts, SidePanel } from "../../ui/side-panel";
import { Loading, Problem } from "../../ui/states";
import { decimalText, Figure, Moment, StateBadge } from "../../ui/values";
import { leftOf } from "./model";
import { SubmitDialog } from "./submit";

const SHOWN = 50;

export function OrderDetails({ id, onClose }: { id: string; onClose: () => void }) {
  const [isSubmitting, setSubmitting] = useState(false);
  const mayTrade = useMay("trader");
  const order = useQuery({
    queryKey: ["order", id],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v2/tradeOrders/{id}", { params: { path: { id: Number(id) } }, signal })),
    refetchInterval: 2_000,
  });
  const executions = useQuery({
    queryKey: ["order", id, "executions"],
    queryFn: ({ signal }) =>
      read(
        api.GET("/api/v2/executions", {
          params: { query: { tradeOrderId: id, limit: SHOWN, sort: "-id" } },
          signal,
        }),
      ),
    refetchInterval: 2_000,
  });
  const left = order.data ? leftOf(order.data) : "0";
  const canSubmit = mayTrade && order.data && left !== "0";
  const total = executions.data?.pagination.totalElements ?? 0;
  return (
    <SidePanel
      label={`Order ${order.data?.orderId ?? id}`}
      title={
        <>
          <span>
            Order <span className="figure">{order.data?.orderId ?? "…"}</span>
          </span>
          {order.data && <CopyButton text={String(order.data.orderId)} label="Copy the order id" />}
        </>
      }
      onClose={onClose}
      actions={
        canSubmit ? (
          <Button kind="primary" onClick={() => setSubmitting(true)}>
            Submit what is left …
          </Button>
        ) : undefined
      }
    >
      {order.error && !order.data ? (
        <Problem error={order.error} retry={() => void order.refetch()} />
      ) : !order.data ? (
        <Loading />
      ) : (
        <>
          <Sent order={order.data} />
          <OrderFacts order={order.data} />
          <section>
            <h3>Executions{total > 0 && ` (${total.toLocaleString("en")})`}</h3>
            {executions.data?.executions.length === 0 && (
              <p className="muted">Nothing of it was submitted.</p>
            )}
            {executions.data && executions.data.executions.length > 0 && (
              <table className="table">
                <thead>
                  <tr>
                    <th scope="col">Id</th>
                    <th scope="col">State</th>
                    <th scope="col">To</th>
                    <th scope="col" className="end">
                      Quantity
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {executions.data.executions.map((one) => (
                    <tr key={one.id}>
                      <td>
                        <Link to="/executions" search={{ open: String(one.id) }} className="figure">
                          {one.id}
                        </Link>
                      </td>
                      <td>
                        <StateBadge state={one.submissionState} />
                      </td>
                      <td>{one.destination.abbreviation}</td>
                      <td className="end">
                        <Figure value={one.quantityOrdered} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )}
            {total > SHOWN && (
              <p>
                <Link to="/executions" search={{ tradeOrderId: id }}>
                  All {total.toLocaleString("en")} executions
                </Link>
              </p>
            )}
          </section>
        </>
      )}
      {isSubmitting && order.data && <SubmitDialog order={order.data} onClose={() => setSubmitting(false)} />}
    </SidePanel>
  );
}

function Sent({ order }: { order: TradeOrder }) {
  const percent = percentOf(order.quantitySent, order.quantity);
  return (
    <div>
      <p className="orders-sent">
        <span>
          <strong>{decimalText(order.quantitySent)}</strong> of {decimalText(order.quantity)} sent
        </span>
        <span className="muted">{decimalText(leftOf(order))} left</span>
      </p>
      <SentBar percent={percent} />
    </div>
  );
}

export function SentBar({ percent }: { percent: number }) {
  return (
    <span className="orders-bar" aria-hidden="true">
      <span style={{ width: `${percent}%` }} />
    </span>
  );
}

function OrderFacts({ order }: { order: TradeOrder }) {
  return (
    <Facts
      facts={[
        [
          "Trade order",
          <span key="id" className="figure">
            {order.id}
          </span>,
        ],
        ["Security", `${order.orderType} ${order.security.ticker}`],
        ["Portfolio", order.portfolio.name],
        order.limitPrice !== null && ["Limit", <Figure key="limit" value={order.limitPrice} />],
        ["Blotter", order.blotter ? `${order.blotter.abbreviation} (${order.blotter.name})` : "none"],
        ["Time", <Moment key="time" at={order.tradeTimestamp} />],
        ["Submitted", order.submitted ? "yes" : "no"],
      ]}
    />
  );
}
