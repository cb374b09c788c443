import { expect, test } from "vitest";
import {
  type Group,
  groupSearch,
  justAfter,
  planText,
  queryOf,
  type RequeueAnswer,
  reasonText,
  selectionOf,
} from "./model";

const group = { state: "exhausted", code: "A", message: "no … there" } as Group;

test("an opened group wins over the filter by state", () => {
  expect(queryOf({ state: "rejected", from: "F", open: "7" })).toEqual({ state: "rejected", from: "F" });
  expect(queryOf({ state: "rejected", ...groupSearch(group) })).toEqual({
    state: "exhausted",
    code: "A",
    message: "no … there",
  });
  expect(queryOf({ state: "accepted" })).toEqual({});
});

test("a requeue of all that match leaves out what fails later", () => {
  const target = { query: queryOf(groupSearch(group)), count: 3, newestAt: "2026-01-30T15:30:00.000999Z" };
  expect(selectionOf(target)).toEqual({
    filter: { states: ["exhausted"], codes: ["A"], messages: ["no … there"], to: "2026-01-30T15:30:00.001Z" },
  });
  const until = { ...target, query: { to: "2026-01-30T15:00:00Z" } };
  expect(selectionOf(until)).toEqual({ filter: { to: "2026-01-30T15:00:00Z" } });
  expect(selectionOf({ ids: ["7", "9"] })).toEqual({ executionIds: [7, 9] });
  expect(justAfter("2026-01-30T15:30:00Z")).toBe("2026-01-30T15:30:00.001Z");
});

test("a plan says how many, and that others are left", () => {
  const answer = {
    successful: 9_990,
    totalRequested: 10_000,
    more: true,
    ofEarlierEpoch: 0,
  } as RequeueAnswer;
  expect(planText(answer)).toMatch(
    /^9,990 of 10,000 can be requeued\..* More match: these are the first 10,000;/,
  );
  expect(planText({ ...answer, successful: 10_000, more: false })).toMatch(/^All 10,000 .* not there\.$/);
});

test("a plan does not promise to send what was sent before a reset", () => {
  const answer = { successful: 5, totalRequested: 5, more: false, ofEarlierEpoch: 5 } as RequeueAnswer;
  expect(planText(answer)).toMatch(
    / All were sent before the ledger was reset .* wait for a person again\.$/,
  );
  expect(planText(answer)).not.toContain("sent only if");
  const some = planText({ ...answer, ofEarlierEpoch: 3 });
  expect(some).toMatch(
    / 3 of these were sent before .* Each of the remaining is .* sent only if it is not there\.$/,
  );
});

test("what a person settled says so", () => {
  expect(reasonText("RESOLVED", "phoned them")).toBe("A person settled it as not accepted: phoned them");
  expect(reasonText("BUDGET_SPENT", "never accepted")).toBe("never accepted");
});
