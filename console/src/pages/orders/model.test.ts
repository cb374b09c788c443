import { expect, test } from "vitest";
import type { TradeOrder } from "../../api/contract";
import { leftAfter, leftOf, refusalOf, submissionBody } from "./model";

const order = { quantity: "1234567890.12345678", quantitySent: 1000 } as unknown as TradeOrder;

test("what is left is exact", () => {
  expect(leftOf(order)).toBe("1234566890.12345678");
  expect(leftAfter(order, "0.00000001")).toBe("1234566890.12345677");
});

test.each([
  ["1234566890.12345678", null],
  ["1234566890.12345679", "Only 1234566890.12345678 of the order is left."],
  ["0", "The quantity must be above zero."],
  ["ten", "The quantity is a number with at most 8 decimals, such as 100 or 0.5."],
])("of a quantity of %s it says %s", (quantity, refusal) => {
  expect(refusalOf(order, quantity)).toBe(refusal);
});

test("a quantity is sent digit for digit", () => {
  expect(submissionBody(" 1234566890.12345678 ", 3)).toBe(
    '{"quantity":1234566890.12345678,"destinationId":3}',
  );
});
