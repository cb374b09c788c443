/** Rows that are selected, by id. */

import type { RowSource } from "./pages-of-rows";

/** An action takes no more at once. */
export const MOST_SELECTED = 1_000;
const READ_AT_ONCE = 500;

export function toggled(set: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(id)) next.add(id);
  return next;
}

/** The first rows of a list, however many of them are loaded. */
export async function firstRows<Row>(source: RowSource<Row>, most: number): Promise<readonly Row[]> {
  const { signal } = new AbortController();
  const rows: Row[] = [];
  let cursor: string | null = null;
  do {
    const limit = Math.min(READ_AT_ONCE, most - rows.length);
    const page: Awaited<ReturnType<typeof source.page>> = await source.page({
      cursor,
      offset: rows.length,
      limit,
      signal,
    });
    rows.push(...page.rows);
    cursor = page.nextCursor;
  } while (cursor !== null && rows.length < most);
  return rows;
}

export function selectedText(count: number, total: number | null): string {
  const of = total === null ? "" : ` of ${total.toLocaleString("en")}`;
  return `${count.toLocaleString("en")}${of} selected`;
}

/** What the button says that selects more. */
export function selectText(total: number | null): string {
  return total !== null && total <= MOST_SELECTED
    ? `Select all ${total.toLocaleString("en")}`
    : `Select the first ${MOST_SELECTED.toLocaleString("en")}`;
}
