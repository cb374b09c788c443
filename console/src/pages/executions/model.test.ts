import { expect, test } from "vitest";
import { jumpTo } from "../../ui/list-search";
import { queryOf } from "./model";

test("a jump keeps the direction of the list", () => {
  expect(jumpTo({ id: "7" }, "-id", "executionTimestamp")).toMatchObject({
    open: "7",
    maxId: "7",
    sort: "-id",
  });
  expect(jumpTo({ id: "7" }, "id", "executionTimestamp")).toMatchObject({ minId: "7", sort: "id" });
  expect(jumpTo({ time: "T" }, "-id", "executionTimestamp")).toEqual({
    to: "T",
    sort: "-executionTimestamp",
  });
  expect(queryOf({ maxId: "7", state: "unknown" })).toMatchObject({
    "id.max": "7",
    submissionState: "unknown",
    sort: "-id",
  });
  expect(queryOf({ from: "T" }).sort).toBe("-executionTimestamp");
  expect(queryOf({ from: "T", sort: "id" }).sort).toBe("id");
});
