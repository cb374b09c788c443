import { expect, test } from "vitest";
import { circuitsOf, inOrder, ratesOf, shareText, windowOf } from "./model";

const point = (at: string, accepted: number) => ({
  at,
  attempts: 1,
  executions: accepted,
  accepted,
  rejected: 0,
  retried: 0,
  unknown: 0,
  exhausted: 0,
  p50Ms: "66.7",
  p95Ms: null,
});

test("the step that is not over counts for its part, and not at all at its beginning", () => {
  const series = {
    window: "1h",
    stepS: 10,
    complete: true,
    points: [point("2026-11-30T10:00:00Z", 300), point("2026-11-30T10:00:10Z", 100)],
  };
  const late = ratesOf(series, Date.parse("2026-11-30T10:00:15Z"));
  expect(late.perS.accepted).toEqual([30, 20]);
  expect(late.p50Ms).toEqual([66.7, 66.7]);
  expect(late.p95Ms).toEqual([null, null]);
  expect(ratesOf(series, Date.parse("2026-11-30T10:00:12Z")).at).toHaveLength(1);
});

test("critical alarms come first, then the oldest", () => {
  const alarm = (severity: string, since: string | null) =>
    ({ name: "PAUSED", severity, since, message: "", link: "control" }) as const;
  const ordered = inOrder([
    alarm("warning", null),
    alarm("warning", "2026-11-30T09:00:00Z"),
    alarm("critical", "2026-11-30T10:00:00Z"),
  ]);
  expect(ordered.map((one) => one.since)).toEqual(["2026-11-30T10:00:00Z", "2026-11-30T09:00:00Z", null]);
});

test("circuits, shares and windows", () => {
  const one = (state: string) => ({ replica: "a", state, since: "2026-11-30T10:00:00Z", reason: "" });
  expect(circuitsOf([one("closed"), one("open")])).toEqual({ text: "1 of 2 closed", broken: [one("open")] });
  expect([shareText(1, 100_000), shareText(5, 100), shareText(0, 9)]).toEqual(["< 0.1 %", "5.0 %", ""]);
  expect([windowOf("6h"), windowOf("9d"), windowOf(undefined)]).toEqual(["6h", "1h", "1h"]);
});
