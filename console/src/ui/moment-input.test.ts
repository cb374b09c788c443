import { expect, test } from "vitest";
import { typedMoment, typedText } from "./moment-input";

test("moments are typed in ISO 8601 and 24 hours", () => {
  expect(typedText("2026-01-31T15:30:05.123Z", true)).toBe("2026-01-31 15:30:05");
  expect(typedMoment("2026-01-31 15:30:05", true)).toBe("2026-01-31T15:30:05.000Z");
  expect(typedMoment(" 2026-01-31T15:30 ", true)).toBe("2026-01-31T15:30:00.000Z");
  expect(typedMoment("2026-01-31", true)).toBe("2026-01-31T00:00:00.000Z");
  const local = typedMoment("2026-01-31 15:30", false);
  expect(typedText(local, false)).toBe("2026-01-31 15:30:00");
});

test("what is no moment is none", () => {
  for (const text of [
    "",
    "today",
    "31/01/2026 15:30",
    "2026-01-31 3:30 PM",
    "2026-02-31",
    "2026-01-31 25:00",
  ]) {
    expect(typedMoment(text, true)).toBeUndefined();
  }
});
