import { expect, test } from "vitest";
import {
  addressOf,
  besideName,
  type Checked,
  effectOf,
  NO_CHOICES,
  questionOf,
  type Refused,
  withEntry,
} from "./model";

const answersTo = (details: Refused) =>
  questionOf(details, "Europe/Berlin").answers.map(({ label, choose }) => [label, choose(NO_CHOICES)]);

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
  expect(answersTo({ question: "SHEET", parameter: "sheet", choices: ["Monday", "Tuesday, 2"] })).toEqual([
    ["Monday", { ...NO_CHOICES, sheet: "Monday" }],
    ["Tuesday, 2", { ...NO_CHOICES, sheet: "Tuesday, 2" }],
  ]);
  expect(
    answersTo({ question: "FIELD_OF_COLUMN", parameter: "map", fields: ["limit_price"], columns: ["Price"] }),
  ).toEqual([
    ["It is the limit_price", { ...NO_CHOICES, map: { Price: "limit_price" } }],
    ["Leave the column out", { ...NO_CHOICES, map: { Price: "" } }],
  ]);
  expect(
    answersTo({
      question: "COLUMN_OF_FIELD",
      parameter: "map",
      fields: ["order_id"],
      columns: ["Ref", "Order No"],
    }).map(([label]) => label),
  ).toEqual(["Ref is the order_id", "Order No is the order_id"]);
  expect(answersTo({ question: "DECIMAL_SIGN", parameter: "decimal", choices: ["point", "comma"] })).toEqual([
    ["Decimal point", { ...NO_CHOICES, decimal: "point" }],
    ["Decimal comma", { ...NO_CHOICES, decimal: "comma" }],
  ]);
  expect(answersTo({ question: "DATE_ORDER", parameter: "dates", choices: ["day", "month"] })).toEqual([
    ["The day comes first", { ...NO_CHOICES, dates: "day" }],
    ["The month comes first", { ...NO_CHOICES, dates: "month" }],
  ]);
  expect(answersTo({ question: "TIME_ZONE", parameter: "timeZone" })).toEqual([
    ["Europe/Berlin", { ...NO_CHOICES, timeZone: "Europe/Berlin" }],
    ["UTC", { ...NO_CHOICES, timeZone: "UTC" }],
  ]);
});

test("without a question the reason stands alone; missing fields come with the columns to choose from", () => {
  expect(questionOf({ question: null, reason: "its sheets are empty" }, "UTC")).toEqual({
    text: "Its sheets are empty.",
    answers: [],
    missing: [],
    columns: [],
  });
  const question = questionOf(
    { question: "MISSING_FIELDS", fields: ["quantity", "destination"], columns: ["A", "Qty nom"] },
    "UTC",
  );
  expect([question.missing, question.columns]).toEqual([
    ["quantity", "destination"],
    ["A", "Qty nom"],
  ]);
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
