import { expect, test } from "vitest";
import { byCount, filled, filtersOf, findingsOf, viewOf } from "./model";

test("short pages become a full one, and the end is the end", async () => {
  const parts = [
    { rows: [1, 2], nextCursor: "b" },
    { rows: [], nextCursor: "c" },
    { rows: [3, 4, 5], nextCursor: "d" },
  ];
  const asked: [string | undefined, number][] = [];
  const read = async (cursor: string | undefined, limit: number) => {
    asked.push([cursor, limit]);
    return parts[asked.length - 1] ?? { rows: [6], nextCursor: null };
  };
  expect(await filled(read, null, 5)).toEqual({ rows: [1, 2, 3, 4, 5], nextCursor: "d" });
  expect(asked).toEqual([
    [undefined, 5],
    ["b", 3],
    ["c", 3],
  ]);
  expect(await filled(read, "d", 5)).toEqual({ rows: [6], nextCursor: null });
});

test("a list that never fills a page is not read for ever", async () => {
  let reads = 0;
  const page = await filled(async () => ({ rows: [], nextCursor: String(++reads) }), null, 5);
  expect([page.nextCursor, reads]).toEqual(["20", 20]);
});

test("views, filters and counts", () => {
  expect([viewOf("log"), viewOf("x"), viewOf(undefined)]).toEqual(["log", "audits", "audits"]);
  expect(filtersOf({ view: "log", actor: "ada", open: "1" }, ["actor", "action"])).toEqual({ actor: "ada" });
  expect(findingsOf({ counts: { different: 2, stranded: 1 } })).toBe(3);
  expect(byCount({ different: 0, stranded: 3 })[0]).toEqual(["stranded", 3]);
});
