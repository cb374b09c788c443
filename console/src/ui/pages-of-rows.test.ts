import { expect, test } from "vitest";
import { countOf, endOf, PAGE_ROWS, pagesOf, refreshAfterMs } from "./pages-of-rows";

const page = (rows: number, nextCursor: string | null) => ({
  rows: Array(rows).fill(0),
  nextCursor,
  total: null,
});

test("only pages on the screen are read, and never many at once", () => {
  expect(pagesOf(0, 40)).toEqual([0]);
  expect(pagesOf(PAGE_ROWS - 1, PAGE_ROWS)).toEqual([0, 1]);
  expect(pagesOf(0, 1_000_000)).toHaveLength(3);
});

test("an estimate gives way to what was read", () => {
  expect(countOf(1_000, new Map([[0, page(100, "next")]]))).toBe(1_000);
  expect(countOf(90, new Map([[0, page(100, "next")]]))).toBe(100);
  expect(countOf(1_000, new Map([[2, page(30, null)]]))).toBe(230);
  expect(countOf(0, new Map([[0, page(0, null)]]))).toBe(0);
});

test("a slow list is refreshed seldom", () => {
  expect([refreshAfterMs(2_000, 20), refreshAfterMs(2_000, 2_500), refreshAfterMs(0, 2_500)]).toEqual([
    2_000,
    75_000,
    false,
  ]);
});

test("a list that is read page by page ends where a page is the last one, also when it is empty or shorter", () => {
  const start = { name: "a", rows: 0, open: true };
  const page = (count: number, nextCursor: string | null) => ({
    rows: Array.from({ length: count }, () => 1),
    nextCursor,
    total: null,
  });
  expect(endOf(start, new Map([[0, page(0, null)]]))).toEqual({ name: "a", rows: 0, open: false });
  const long = endOf(start, new Map([[0, page(100, "c")]]));
  expect(long).toEqual({ name: "a", rows: 100, open: true });
  expect(endOf(long, new Map([[0, page(40, null)]]))).toEqual({ name: "a", rows: 40, open: false });
  const ended = { name: "a", rows: 250, open: false };
  expect(endOf(ended, new Map([[0, page(100, "c")]]))).toBe(ended);
});
