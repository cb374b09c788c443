import { expect, test } from "vitest";
import { addressOf, besideName, type Checked, effectOf, NO_CHOICES, questionOf, withEntry } from "./model";

const answersTo = (message: string) =>
  questionOf(message, "Europe/Berlin").answers.map(({ label, choose }) => [label, choose(NO_CHOICES)]);

test("choices become parameters: repeated ones are repeated, an ignored column has no field", () => {
  const choices = {
    decimal: "comma",
    sheet: "",
    map: { "Buy/Sell": "order_type", Note: "" },
    set: { destination: "ML" },
  };
  expect(addressOf("/check", "a b.csv", choices, { checksum: "1" })).toBe(
    "/check?filename=a+b.csv&checksum=1&decimal=comma&map=Buy%2FSell%3Dorder_type&map=Note%3D&set=destination%3DML",
  );
  expect(withEntry({ a: "x", b: "y" }, "a", undefined)).toEqual({ b: "y" });
});

test("each question of a refused file has answers to choose", () => {
  const refusal = "blotter: it has several sheets: choose one with sheet (Monday, Tuesday 2)";
  expect(answersTo(refusal)).toEqual([
    ["Monday", { ...NO_CHOICES, sheet: "Monday" }],
    ["Tuesday 2", { ...NO_CHOICES, sheet: "Tuesday 2" }],
  ]);
  const price =
    "blotter: its column 'Price' could be the limit price of an order, or the price of a past trade: say " +
    "which with map 'Price=limit_price' or, to leave it out, map 'Price='";
  expect(answersTo(price)).toEqual([
    ["It is the limit_price", { ...NO_CHOICES, map: { Price: "limit_price" } }],
    ["Leave the column out", { ...NO_CHOICES, map: { Price: "" } }],
  ]);
  expect(questionOf(price, "UTC").text).toBe(
    "Its column 'Price' could be the limit price of an order, or the price of a past trade.",
  );
  expect(questionOf("blotter: its sheets are empty", "UTC").text).toBe("Its sheets are empty.");
  const both =
    "blotter: its columns 'Ref' and 'Order No' could be order_id: choose one with map COLUMN=order_id";
  expect(answersTo(both).map(([label]) => label)).toEqual([
    "Ref is the order_id",
    "Order No is the order_id",
  ]);
  const number =
    "blotter: '2.500' could mean 2.5 or 2500, and …: say what it is with decimal point or decimal comma";
  expect(answersTo(number).map(([label]) => label)).toEqual(["Decimal point", "Decimal comma"]);
  expect(answersTo("blotter: '1,5' is its first …: confirm it with decimal comma")).toHaveLength(1);
  expect(
    answersTo("blotter: '03/04/2026' could be …: say which comes first with dates day or dates month"),
  ).toHaveLength(2);
  expect(answersTo("blotter: name their zone with timeZone, such as timeZone UTC")).toHaveLength(2);
  expect(answersTo("blotter: its sheets are empty")).toEqual([]);
});

test("missing fields and the columns to choose from are found; a name cut short is not offered", () => {
  const missing =
    "blotter: it has no column quantity, destination: a row must name the columns order_id (and may name " +
    "blotter); give another name with map COLUMN=FIELD, or one value with set FIELD=VALUE; it reads 'A, Qty nom, C…'";
  const question = questionOf(missing, "UTC");
  expect(question.missing).toEqual(["quantity", "destination"]);
  expect(question.columns).toEqual(["A", "Qty nom"]);
});

test("the effect of sending is said in words", () => {
  const totals = { new: 590, resumed: 0, sentBefore: 2 } as Checked["totals"];
  const checked = { totals, refused: 1, unit: "line" } as Checked;
  expect(effectOf(checked, false)).toBe(
    "590 new orders created and sent; 2 orders sent before, left alone; 1 refused line left out.",
  );
  expect(effectOf(checked, true)).toBe("Nothing is sent: 1 line is refused.");
  expect(besideName("monday.v2.csv", "rejects")).toBe("monday.v2-rejects.csv");
});
