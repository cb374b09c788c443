import { expect, test } from "vitest";
import { parseExact } from "./lossless";

test("decimals keep every digit, and integers that fit stay numbers", () => {
  expect(
    parseExact('{"q":1234567890.12345678,"tiny":1E-8,"id":42,"big":12345678901234567890,"neg":[-0.5,-7]}'),
  ).toEqual({
    q: "1234567890.12345678",
    tiny: "1E-8",
    id: 42,
    big: "12345678901234567890",
    neg: ["-0.5", -7],
  });
});

test("texts that look like numbers are left alone", () => {
  const value = { text: 'a "1.5" \\ 2.5 ', 'key 1.5"': "1.5", empty: "", nested: [true, null, "\u2028 3.0"] };
  expect(parseExact(JSON.stringify(value))).toEqual(value);
});

test("what is no JSON is refused", () => {
  expect(() => parseExact("<html>1.5</html>")).toThrow(SyntaxError);
});
