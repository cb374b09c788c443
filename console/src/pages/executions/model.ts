/** What the page of executions asks for. */

import type { Search } from "../../app/location";

/** The parameters of `GET /api/v2/executions`, by the names in the URL. */
export function queryOf(search: Search): Record<string, string | undefined> {
  return {
    submissionState: search.state,
    "security.ticker": search.ticker,
    orderId: search.orderId,
    tradeOrderId: search.tradeOrderId,
    code: search.code,
    "destination.abbreviation": search.destination,
    from: search.from,
    to: search.to,
    "id.max": search.maxId,
    "id.min": search.minId,
    sort: sortOf(search, "executionTimestamp"),
  };
}

/** The newest first; in a period by its time, which has an index. */
export function sortOf(search: Search, byTime: string): string {
  return search.sort ?? (search.from || search.to ? `-${byTime}` : "-id");
}

/** Where a list begins instead: the changes of the search that lead to an id or a time. */
export function jumpTo(
  to: { id: string } | { time: string },
  sort: string,
  byTime: string,
): Record<string, string | undefined> {
  const isUp = sort !== "" && !sort.startsWith("-");
  if ("id" in to) {
    return {
      open: to.id,
      maxId: isUp ? undefined : to.id,
      minId: isUp ? to.id : undefined,
      sort: isUp ? "id" : "-id",
    };
  }
  return isUp ? { from: to.time, sort: byTime } : { to: to.time, sort: `-${byTime}` };
}
