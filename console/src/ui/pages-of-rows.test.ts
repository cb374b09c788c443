import { expect, test } from "vitest";
import { countOf, PAGE_ROWS, pagesOf, refreshAfterMs } from "./pages-of-rows";

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
