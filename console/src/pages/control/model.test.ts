import { expect, test } from "vitest";
import type { Replica } from "../../api/contract";
import { barOf, inOrder } from "./model";

const replica = (name: string, p50: string | null, more: Partial<Replica> = {}): Replica => ({
  replica: name,
  attempts: 1,
  executions: 1,
  openAttempts: 0,
  lastAttemptAt: null,
  holds: 0,
  lastSeenAt: null,
  alive: true,
  startedAt: null,
  version: null,
  workers: 1,
  circuit: "closed",
  circuitSince: null,
  circuitReason: "",
  waitsFor: "",
  latencyMs: { p50, p95: p50, p99: p50 },
  slowTimes: null,
  ...more,
});

test("what needs a look stands first", () => {
  const all = [
    replica("a", "50.0"),
    replica("b", "500.0", { slowTimes: "10.0" }),
    replica("c", "50.0", { circuit: "open" }),
    replica("d", null, { alive: false, holds: 7 }),
    replica("e", null, { alive: false }),
  ];
  expect(inOrder(all).map((one) => one.replica)).toEqual(["d", "c", "b", "a", "e"]);
  expect(all.map((one) => barOf(one, all))).toEqual([10, 100, 10, 0, 0]);
});
