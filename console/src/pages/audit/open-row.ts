/** The row whose details are open: the one that was chosen, or, after a reload, the one in the list with its id. */

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { RowPage } from "../../ui/pages-of-rows";

export function useOpenRow<Row>(
  id: string | undefined,
  idOf: (row: Row) => string,
): { row: Row | null; keep: (row: Row) => void } {
  const [kept, keep] = useState<Row | null>(null);
  const queries = useQueryClient();
  if (id === undefined) return { row: null, keep };
  if (kept !== null && idOf(kept) === id) return { row: kept, keep };
  const pages = queries.getQueriesData<RowPage<Row>>({ predicate: (one) => one.queryKey.at(-2) === "page" });
  for (const [, page] of pages) {
    const row = page?.rows.find((one) => idOf(one) === id);
    if (row) return { row, keep };
  }
  return { row: null, keep };
}
