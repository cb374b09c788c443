import { expect, test } from "vitest";
import type { Summary } from "../../api/contract";
import { acceptedText, circuitsOf, inOrder, ratesOf, shareText, windowOf } from "./model";

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

test("a step that may have been read before its end is left out", () => {
  const points = [point("2026-11-30T10:00:00Z", 300), point("2026-11-30T10:00:10Z", 100)];
  const series = { window: "1h", stepS: 10, complete: true, points };
  const at = (time: string) => Date.parse(`2026-11-30T10:00:${time}Z`);
  expect(ratesOf(series, at("23")).perS.accepted).toEqual([30]);
  const over = ratesOf(series, at("24"));
  expect(over.perS.accepted).toEqual([30, 10]);
  expect(over.p50Ms).toEqual([66.7, 66.7]);
  expect(over.p95Ms).toEqual([null, null]);
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
  expect([shareText(8, 8), shareText(997, 1000), shareText(99_999, 100_000)]).toEqual([
    "100 %",
    "99.7 %",
    "> 99.9 %",
  ]);
  expect([windowOf("6h"), windowOf("9d"), windowOf(undefined)]).toEqual(["6h", "1h", "1h"]);
});

test("what is in flight lowers no share", () => {
  const minute = { executions: 100, accepted: 0, rejected: 0, retried: 0, unknown: 0, exhausted: 0 };
  const text = (found: Partial<typeof minute>) =>
    acceptedText({ ...minute, ...found } as Summary["lastMinute"]);
  expect([
    text({ accepted: 99 }),
    text({ accepted: 99, unknown: 1 }),
    text({ rejected: 1 }),
    text({}),
  ]).toEqual(["100 %", "99.0 %", "0 %", "–"]);
});
