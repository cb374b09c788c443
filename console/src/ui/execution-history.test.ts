import { expect, test } from "vitest";
import type { Attempt, Attempts, Evidence, Execution } from "../api/contract";
import { actorText, historyOf, reasonOf } from "./execution-history";

const attempt = (changes: Partial<Attempt>): Attempt =>
  ({
    attemptId: "a1",
    state: "answered",
    owner: "vm:1:x",
    startedAt: "2026-01-30T15:30:01Z",
    closedAt: "2026-01-30T15:30:02Z",
    kind: "answered",
    code: "OK",
    message: "answered 207",
    httpStatus: 207,
    durationMs: 34,
    lookUps: 0,
    size: 100,
    leaseUntil: null,
    nextActionAt: null,
    floorId: 0,
    floorVoid: false,
    adopted: false,
    isNewest: true,
    outcomes: [],
    ...changes,
  }) as Attempt;

const history = (changes: Partial<Attempts>): Attempts =>
  ({
    executionId: 9,
    state: "accepted",
    waitsFor: null,
    openSince: null,
    attempts: [],
    evidence: [],
    ...changes,
  }) as Attempts;

test("a history is in order of time, and says how each attempt ended", () => {
  const lost = attempt({
    closedAt: "2026-01-30T15:30:05Z",
    outcomes: [{ state: "unknown", code: "NO_ANSWER", message: "lost" }],
    isNewest: false,
  });
  const found = {
    foundAt: "2026-01-30T15:30:09Z",
    source: "look_up",
    code: "FOUND",
    state: "accepted",
    stateBefore: "unknown",
    executionServiceId: 77,
    actor: null,
    actorKnownBy: null,
    message: "row 77",
  } as unknown as Evidence;
  const execution = { executionTimestamp: "2026-01-30T15:30:00Z" } as Execution;
  const entries = historyOf(execution, history({ attempts: [lost], evidence: [found] }));
  expect(entries.map((one) => [one.title, one.state, one.tone])).toEqual([
    ["Created", null, "plain"],
    ["Attempt 1 began", null, "plain"],
    ["Attempt 1:", "unknown", "warn"],
    ["A look-up in the ledger", "accepted", "good"],
  ]);
  expect(entries.at(-1)?.facts).toContainEqual(["Id there", "77"]);
});

test("the newest attempt of an accepted execution was accepted, though nothing was noted of it", () => {
  const entries = historyOf(undefined, history({ attempts: [attempt({})] }));
  expect(entries.at(-1)?.state).toBe("accepted");
});

test("an attempt without an end is open", () => {
  const open = attempt({ closedAt: null, leaseUntil: "2026-01-30T15:31:00Z" });
  const entries = historyOf(undefined, history({ state: "claimed", attempts: [open] }));
  expect(entries).toHaveLength(1);
  expect(entries[0]?.facts.at(-1)).toEqual(["Lease until", "2026-01-30T15:31:00Z"]);
});

test("the reason is what it waits for, or why it failed", () => {
  const refused = attempt({
    outcomes: [{ state: "rejected", code: "ITEM_REFUSED", message: "Invalid trade type" }],
  });
  expect(reasonOf(history({ state: "rejected", attempts: [refused] }))).toBe("Invalid trade type");
  expect(reasonOf(history({ state: "unknown", waitsFor: "a look-up" }))).toBe("It waits for a look-up.");
  expect(reasonOf(history({}))).toBeNull();
});

test("what a person settled names the person, until a later attempt", () => {
  const settled = {
    foundAt: "2026-01-30T15:30:09Z",
    source: "operator",
    code: "RESOLVED",
    attemptId: "a1",
    state: "exhausted",
    stateBefore: "unknown",
    executionServiceId: null,
    actor: "Ann Operations",
    actorKnownBy: "none",
    message: "phoned them",
  } as unknown as Evidence;
  const ended = history({ state: "exhausted", attempts: [attempt({})], evidence: [settled] });
  expect(reasonOf(ended)).toBe("Ann Operations settled it as not accepted: phoned them");
  expect(historyOf(undefined, ended).at(-1)?.facts[0]).toEqual(["By", "Ann Operations"]);
  expect(actorText({ actor: "ann", actorKnownBy: "api-key" })).toBe("ann (api-key)");
  const again = [attempt({ isNewest: false }), attempt({ attemptId: "a2", message: "refused" })];
  expect(reasonOf({ ...ended, attempts: again })).toBe("refused");
});
