/** The rows of a list that may have millions: pages are fetched where one looks, and forgotten elsewhere. */

import { useQueries, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";

export const PAGE_ROWS = 100;
const SETTLE_MS = 60;
const REFRESH_MS = 2_000;
/** Of the time, one part in so many is spent on refreshing. */
const SHARE = 30;

export interface RowPage<Row> {
  rows: readonly Row[];
  nextCursor: string | null;
  /** Rows of the whole list; null where nobody counts them. */
  total: number | null;
  isEstimate?: boolean;
}

export interface RowSource<Row> {
  /** Names the list and its filters: another key is another list. */
  key: readonly unknown[];
  /** Reads a page: at `cursor` where the page before gave one, else at `offset`. */
  page: (at: {
    cursor: string | null;
    offset: number;
    limit: number;
    signal: AbortSignal;
  }) => Promise<RowPage<Row>>;
  /** Whether any offset can be read; without, the pages are read one after the other. */
  hasOffset: boolean;
  /** Milliseconds between refreshes of what is visible; 0: never. */
  refreshMs?: number;
}

export interface LoadedRows<Row> {
  count: number;
  /** undefined: not loaded (yet). */
  row: (index: number) => Row | undefined;
  total: number | null;
  isEstimate: boolean;
  isLoading: boolean;
  error: Error | null;
  retry: () => void;
}

/** The rows of a source; `first` to `last` are visible. */
export function useRows<Row>(source: RowSource<Row>, first: number, last: number): LoadedRows<Row> {
  const name = JSON.stringify(source.key);
  const cursors = useRef<{ name: string; at: Map<number, string> }>({ name, at: new Map() });
  if (cursors.current.name !== name) cursors.current = { name, at: new Map() };
  const known = cursors.current.at;
  const tookMs = useRef(0);
  const [ended, setEnded] = useState<End>({
    name,
    rows: -1,
    open: true,
  });
  const wanted = useSettled(
    pagesOf(first, last).filter((page) => source.hasOffset || page === 0 || known.has(page)),
    name,
  );
  const options = (page: number) => ({
    queryKey: [...source.key, "page", page] as const,
    queryFn: async ({ signal }: { signal: AbortSignal }) => {
      const cursor = known.get(page) ?? null;
      const began = performance.now();
      const found = await source.page({
        cursor,
        offset: cursor === null ? page * PAGE_ROWS : 0,
        limit: PAGE_ROWS,
        signal,
      });
      tookMs.current = performance.now() - began;
      if (found.nextCursor !== null) known.set(page + 1, found.nextCursor);
      return found;
    },
    refetchInterval: () => refreshAfterMs(source.refreshMs ?? REFRESH_MS, tookMs.current),
    staleTime: 1_000,
    gcTime: 30_000,
  });
  // The first page stays in use: it has the total.
  const head = useQuery({ ...options(0), placeholderData: undefined });
  const pages = useQueries({ queries: wanted.filter((page) => page !== 0).map(options) });
  const byPage = new Map<number, RowPage<Row>>();
  if (head.data) byPage.set(0, head.data);
  for (const [index, page] of wanted.filter((one) => one !== 0).entries()) {
    const data = pages[index]?.data;
    if (data) byPage.set(page, data);
  }
  useEffect(() => {
    if (source.hasOffset) return;
    setEnded((now) => endOf(now.name === name ? now : { name, rows: 0, open: true }, byPage));
  });
  const total = head.data?.total ?? null;
  const loaded = ended.name === name ? ended : { rows: head.data?.rows.length ?? 0, open: false };
  const failed = [head, ...pages].find((one) => one.error && !one.data);
  return {
    count: source.hasOffset ? countOf(total, byPage) : loaded.rows + (loaded.open ? 1 : 0),
    row: (index) => byPage.get(Math.floor(index / PAGE_ROWS))?.rows[index % PAGE_ROWS],
    total,
    isEstimate: head.data?.isEstimate ?? false,
    isLoading: head.isPending,
    error: failed?.error ?? null,
    retry: () => void failed?.refetch(),
  };
}

/** A list that takes long to read is read again seldom: watching it costs the service little. 0: never. */
export function refreshAfterMs(wantedMs: number, tookMs: number): number | false {
  return wantedMs === 0 ? false : Math.max(wantedMs, Math.ceil(tookMs * SHARE));
}

interface End {
  name: string;
  /** So many rows are known. */
  rows: number;
  /** Whether more follow. */
  open: boolean;
}

/** How far a list that is read page by page goes: where a page says that it is the last one, it ends, even if it was longer. */
export function endOf<Row>(now: End, pages: ReadonlyMap<number, RowPage<Row>>): End {
  let rows = 0;
  for (const [page, data] of pages) {
    rows = Math.max(rows, page * PAGE_ROWS + data.rows.length);
    if (data.nextCursor === null) {
      const isSame = now.rows === rows && !now.open;
      return isSame ? now : { name: now.name, rows, open: false };
    }
  }
  if (now.rows > rows || (now.rows === rows && now.open)) return now;
  return { name: now.name, rows, open: true };
}

/** An estimated total may be too small or too large: what was read decides. */
export function countOf<Row>(total: number | null, pages: ReadonlyMap<number, RowPage<Row>>): number {
  let count = total ?? 0;
  for (const [page, data] of pages) {
    const end = page * PAGE_ROWS + data.rows.length;
    if (data.nextCursor === null && data.rows.length > 0) return end;
    count = Math.max(count, end);
  }
  return count;
}

export function pagesOf(first: number, last: number): number[] {
  const from = Math.max(0, Math.floor(first / PAGE_ROWS));
  const to = Math.max(from, Math.floor(last / PAGE_ROWS));
  return Array.from({ length: Math.min(3, to - from + 1) }, (_, index) => from + index);
}

/** The pages on the screen once it rests there: dragging the scroll bar reads nothing on its way. */
function useSettled(pages: readonly number[], name: string): readonly number[] {
  const text = pages.join();
  const [settled, setSettled] = useState({ text, name });
  useEffect(() => {
    const timer = setTimeout(() => setSettled({ text, name }), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [text, name]);
  const shown = settled.name === name ? settled.text : text;
  return useMemo(() => (shown === "" ? [] : shown.split(",").map(Number)), [shown]);
}
