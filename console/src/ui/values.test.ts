import { expect, test } from "vitest";
import { compactText, decimalText, durationText, momentText, zoneName } from "./values";

test.each([
  ["1234567890.12345678", "1,234,567,890.12345678"],
  ["-1000", "−1,000"],
  ["1E-8", "1E-8"],
  [100, "100"],
  [null, "–"],
])("%s is written as %s", (value, text) => {
  expect(decimalText(value)).toBe(text);
});

test("a moment names its zone", () => {
  expect(momentText("2026-11-30T22:21:05.123456Z", true)).toEqual({
    date: "2026-11-30",
    time: "22:21:05.123",
    zone: "UTC",
  });
  expect(momentText("nonsense", true).date).toBe("nonsense");
  expect(zoneName(new Date("2026-11-30T22:21:05Z"), true)).toBe("UTC");
});

test.each([
  [40, "40 ms"],
  [59_000, "59 s"],
  [61_000, "1 min 01 s"],
  [7_500_000, "2 h 05 min"],
  [180_000_000, "2 d 2 h"],
])("%i ms are %s", (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

test.each([
  [999, "999"],
  [1_000_600, "1.0M"],
  [12_345, "12k"],
  [null, "–"],
])("%s in short is %s", (count, text) => {
  expect(compactText(count)).toBe(text);
});
