import { expect, test } from "vitest";
import { decimalOf, minus, percentOf, unitsOf } from "./decimal";

test.each([
  ["1234567890.12345678", "0.00000001", "1234567890.12345677"],
  [100, "0.5", "99.5"],
  ["0.1", "0.3", "-0.2"],
  ["100.50", 100.5, "0"],
])("%s − %s = %s", (whole, part, left) => {
  expect(minus(whole, part)).toBe(left);
});

test("what is no plain decimal has no units", () => {
  for (const text of ["", "1e3", "abc", "1.123456789", "--1", null]) expect(unitsOf(text)).toBeNull();
  expect(unitsOf("1.100000000")).toBe(110_000_000n);
  expect(decimalOf(-1n)).toBe("-0.00000001");
  expect(percentOf("1", "3")).toBe(33.3);
  expect(percentOf("1", "0")).toBe(0);
});
