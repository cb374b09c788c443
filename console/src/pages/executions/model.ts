/** What the page of executions asks for. */

import type { Search } from "../../app/location";
import { sortOf } from "../../ui/list-search";

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
