import { expect, test } from "vitest";
import { type Column, fittingColumns, leastPx } from "./columns";

const column = (id: string, width: string, narrow = false): Column<unknown> => ({
  id,
  width,
  narrow,
  header: id,
  cell: () => id,
});
const columns = [column("a", "100px", true), column("b", "minmax(50px, 1fr)"), column("c", "80px", true)];
const ids = (px: number, isNarrow = false) =>
  fittingColumns(columns, px, isNarrow)
    .map((one) => one.id)
    .join("");

test("columns without room are left out from the last on", () => {
  expect([ids(230), ids(229), ids(149), ids(10)]).toEqual(["abc", "ab", "a", "a"]);
  expect(ids(10, true)).toBe("ac");
  expect(leastPx("minmax(0, 1fr)")).toBe(0);
});
