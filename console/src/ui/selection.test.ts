import { expect, test } from "vitest";
import type { RowSource } from "./pages-of-rows";
import { firstRows, MOST_SELECTED, selectedText, selectText } from "./selection";

const listOf = (length: number): RowSource<number> => ({
  key: ["numbers"],
  hasOffset: false,
  page: async ({ cursor, limit }) => {
    const first = Number(cursor ?? 0);
    const rows = Array.from({ length: Math.min(limit, length - first) }, (_, index) => first + index);
    const next = first + rows.length;
    return { rows, nextCursor: next < length ? String(next) : null, total: length };
  },
});

test("all rows of a list are selected, the first ones of a long list", async () => {
  expect(await firstRows(listOf(0), MOST_SELECTED)).toEqual([]);
  expect((await firstRows(listOf(740), MOST_SELECTED)).length).toBe(740);
  const first = await firstRows(listOf(5_000), MOST_SELECTED);
  expect([first.length, first.at(-1)]).toEqual([1_000, 999]);
});

test("what is selected is said of how many", () => {
  expect(selectedText(100, 1_240)).toBe("100 of 1,240 selected");
  expect(selectedText(1, null)).toBe("1 selected");
  expect(selectText(740)).toBe("Select all 740");
  expect(selectText(1_240)).toBe("Select the first 1,000");
  expect(selectText(null)).toBe("Select the first 1,000");
});
