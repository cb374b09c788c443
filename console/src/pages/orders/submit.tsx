import { useRef, useState } from "react";
import { api, newKey, read, request } from "../../api/client";
import type { TradeOrder } from "../../api/contract";
import { useDestinations } from "../../api/queries";
import { ActionDialog, type Effect } from "../../ui/action-dialog";
import { Icon } from "../../ui/icons";
import { decimalText } from "../../ui/values";
import { leftAfter, leftOf, refusalOf, submissionBody } from "./model";

interface Submitted {
  id: number;
  executionStatus: { abbreviation: string };
  executionServiceId: number | null;
}

/** Sends what is left of an order, or a part of it. */
export function SubmitDialog({ order, onClose }: { order: TradeOrder; onClose: () => void }) {
  const destinations = useDestinations();
  const [quantity, setQuantity] = useState(leftOf(order));
  const [destination, setDestination] = useState("");
  const key = useRef(newKey());
  const to = destinations.find((one) => String(one.id) === destination);
  const check = async (): Promise<Effect> => {
    key.current = newKey();
    const now = await read(api.GET("/api/v2/tradeOrders/{id}", { params: { path: { id: order.id } } }));
    const refused = refusalOf(now, quantity) ?? undefined;
    const after = refused ? [] : [{ label: "Left afterwards", value: leftAfter(now, quantity) }];
    return {
      summary: `One execution goes to ${to?.abbreviation}: ${now.orderType} ${decimalText(quantity)} ${now.security.ticker}.`,
      refused,
      figures: [
        { label: "Quantity", value: quantity },
        { label: "Left of the order now", value: leftOf(now) },
        ...after,
      ],
    };
  };
  const run = async (): Promise<Effect> => {
    const sent = await request<Submitted>("POST", `/api/v1/tradeOrders/${order.id}/submit`, {
      body: submissionBody(quantity, Number(destination)),
      headers: { "Content-Type": "application/json", "Idempotency-Key": key.current },
    });
    const there = sent.executionServiceId;
    return {
      summary:
        there === null
          ? `Execution ${sent.id} was created; its outcome is still open. Do not submit it again.`
          : `Execution ${sent.id} was accepted as ${there}.`,
      figures: [
        { label: "Execution", value: sent.id, isId: true },
        { label: "Id there", value: there, isId: true },
      ],
    };
  };
  return (
    <ActionDialog
      title={`Submit order ${order.orderId}`}
      needsReason={false}
      inputs={`${quantity} ${destination}`}
      isComplete={destination !== "" && quantity !== ""}
      confirm={() => `Send ${decimalText(quantity)} to ${to?.abbreviation}`}
      dryRun={check}
      run={run}
      onClose={onClose}
      fields={
        <>
          <label className="field">
            <span>Quantity, of {decimalText(leftOf(order))} left</span>
            <input
              inputMode="decimal"
              value={quantity}
              onChange={(event) => setQuantity(event.target.value)}
            />
          </label>
          <label className="field">
            <span>Destination</span>
            <span className="select">
              <select value={destination} onChange={(event) => setDestination(event.target.value)}>
                <option value="">Choose one</option>
                {destinations.map((one) => (
                  <option key={one.id} value={one.id}>
                    {one.abbreviation}: {one.description}
                  </option>
                ))}
              </select>
              <Icon name="down" />
            </span>
          </label>
        </>
      }
    />
  );
}
