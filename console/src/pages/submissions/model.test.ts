import { expect, test } from "vitest";
import { type Attempt, outcomeCounts, toneOf } from "./model";

const attempt = (outcomes: readonly (readonly [number, string])[]) =>
  ({
    closedAt: "2026-01-01T00:00:00Z",
    code: "OK",
    outcomes: outcomes.map(([executionId, state]) => ({ executionId, state })),
  }) as Attempt;

test("an execution counts once, with its newest finding", () => {
  const settled = attempt([
    [1, "unknown"],
    [2, "unknown"],
    [1, "accepted"],
  ]);
  expect(outcomeCounts(settled)).toEqual([
    ["accepted", 1],
    ["unknown", 1],
  ]);
  expect(toneOf(settled)).toBe("warn");
  expect(
    toneOf(
      attempt([
        [1, "unknown"],
        [1, "accepted"],
      ]),
    ),
  ).toBe("good");
});
