import { expect, test } from "vitest";
import { NOTHING_YET, paceOf, withEvents } from "./submission-events";

const result = (executionId: number, submissionState: string, code: string) => ({
  event: "result",
  data: JSON.stringify({ executionId, submissionState, code, message: `${code} ${executionId}` }),
});
const progress = (event: string, pending: number) => ({
  event,
  data: JSON.stringify({ submissionId: "s", totalRequested: 3, successful: 2, failed: 0, pending }),
});

test("outcomes are grouped by state and code over any number of chunks, and the end is noticed", () => {
  const first = withEvents(NOTHING_YET, [result(7, "accepted", "OK"), progress("progress", 2)]);
  expect([first.isFinished, first.progress?.pending]).toEqual([false, 2]);
  const second = withEvents(first, [result(9, "rejected", "BAD"), result(8, "accepted", "OK")]);
  expect(second.groups.get("accepted OK")).toEqual({
    state: "accepted",
    code: "OK",
    message: "OK 7",
    executionIds: [7, 8],
  });
  const last = withEvents(second, [progress("finished", 0)]);
  expect(last.isFinished).toBe(true);
  expect(last.groups).toBe(second.groups);
});

test("the pace is that of the last ten seconds, and unknown at first", () => {
  expect(paceOf([])).toBeNull();
  expect(paceOf([{ atMs: 0, done: 5 }])).toBeNull();
  const samples = [
    { atMs: 0, done: 0 },
    { atMs: 20_000, done: 100 },
    { atMs: 22_000, done: 300 },
  ];
  expect(paceOf(samples)).toBe(100);
});
