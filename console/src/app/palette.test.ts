import { expect, test } from "vitest";
import { matching } from "./palette";

test.each(["slow", "replica", "latency"])("the palette finds the replicas by %s", (word) => {
  expect(matching(word, []).map((one) => one.title)).toContain("Control");
});
