import { expect, test } from "vitest";
import { changed, parseSearch, stringifySearch } from "./location";

test("a search survives the way through the URL", () => {
  const search = { state: "unknown,retry", code: "A B&C=+", from: "2026-11-30T22:00:00.000Z" };
  const text = stringifySearch(search);
  expect(text).toContain("state=unknown,retry");
  expect(parseSearch(text)).toEqual(search);
});

test("what is empty leaves the URL", () => {
  expect(changed({ state: "unknown", open: "7" }, { open: undefined, state: "", sort: "-id" })).toEqual({
    sort: "-id",
  });
  expect(stringifySearch({ a: "", b: undefined })).toBe("");
});
