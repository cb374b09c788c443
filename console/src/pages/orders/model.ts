/** What the page of orders asks for, and what a submission would do, in exact figures. */

import type { TradeOrder } from "../../api/contract";
import type { Search } from "../../app/location";
import { decimalOf, minus, unitsOf } from "../../ui/decimal";
import { sortOf } from "../../ui/list-search";

/** The parameters of `GET /api/v2/tradeOrders`, by the names in the URL. */
export function queryOf(search: Search): Record<string, string | undefined> {
  return {
    orderId: search.orderId,
    "security.ticker": search.ticker,
    "portfolio.name": search.portfolio,
    orderType: search.side,
    submitted: search.submitted,
    "blotter.abbreviation": search.blotter,
    from: search.from,
    to: search.to,
    "id.max": search.maxId,
    "id.min": search.minId,
    sort: sortOf(search, "tradeTimestamp"),
  };
}

export function leftOf(order: TradeOrder): string {
  return minus(order.quantity, order.quantitySent) ?? "0";
}

/** Why a quantity cannot be sent; null when it can. */
export function refusalOf(order: TradeOrder, quantity: string): string | null {
  const [wanted, left] = [unitsOf(quantity), unitsOf(leftOf(order))];
  if (wanted === null) return "The quantity is a number with at most 8 decimals, such as 100 or 0.5.";
  if (wanted <= 0n) return "The quantity must be above zero.";
  if (left !== null && wanted > left) return `Only ${leftOf(order)} of the order is left.`;
  return null;
}

export function leftAfter(order: TradeOrder, quantity: string): string {
  return decimalOf((unitsOf(leftOf(order)) ?? 0n) - (unitsOf(quantity) ?? 0n));
}

/** A submission as JSON: the quantity digit for digit, as a number. */
export function submissionBody(quantity: string, destinationId: number): string {
  return `{"quantity":${decimalOf(unitsOf(quantity) ?? 0n)},"destinationId":${destinationId}}`;
}
