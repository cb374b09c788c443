import { expect, test } from "vitest";
import type { Attempts, Execution } from "../api/contract";
import {
  becomeText,
  isServiceId,
  listedOf,
  meaningOf,
  questionOf,
  type ResolveAnswer,
  tallyOf,
} from "./resolution";

const answer = (sight: string, changes: Partial<ResolveAnswer> = {}): ResolveAnswer => ({
  executionId: 9,
  resolved: false,
  state: "exhausted",
  stateBefore: "unknown",
  executionServiceId: null,
  lookUp: { sight, message: "the Execution Service has it as 7" },
  message: "",
  ...changes,
});
const subject = { quantity: "1234.5", orderId: 77 };

test("what the ledger confirms can be done, and says where the quantity goes", () => {
  expect(meaningOf(answer("confirms"), subject, false)).toEqual({
    summary: "Execution 9 becomes exhausted. 1,234.5 return to order 77, and nothing is sent.",
    isDoubtful: false,
  });
});

test("what the ledger contradicts is refused, whatever one knows", () => {
  for (const force of [false, true]) {
    const { refused, isDoubtful } = meaningOf(answer("contradicts"), subject, force);
    expect(refused).toBe("The ledger contradicts this: the Execution Service has it as 7.");
    expect(isDoubtful).toBe(false);
  }
});

test("a doubt is refused until it is overridden", () => {
  expect(meaningOf(answer("doubts"), subject, false).refused).toBeDefined();
  const forced = meaningOf(answer("doubts"), subject, true);
  expect(forced.refused).toBeUndefined();
  expect(forced.warning).toContain("override");
});

test("a silent ledger leaves the operator's word alone", () => {
  expect(meaningOf(answer("silent"), null, false).warning).toContain("Only your word counts");
});

test("an acceptance names the id there, and a quantity that is taken again", () => {
  const accepted = { state: "accepted", executionServiceId: 7 };
  expect(meaningOf(answer("confirms", accepted), subject, false).summary).toBe(
    "Execution 9 becomes accepted as 7 of the Execution Service.",
  );
  const late = answer("confirms", { ...accepted, stateBefore: "exhausted", resolved: true });
  expect(meaningOf(late, subject, false).summary).toContain(
    "is accepted as 7 of the Execution Service. Its quantity is taken",
  );
});

test("the question has all that is needed to find the execution there", () => {
  const execution = {
    id: 9,
    tradeType: { id: 1, abbreviation: "BUY", description: "" },
    quantityOrdered: "1234.5",
    tradeOrder: { security: { ticker: "IBM", securityId: "S1" } },
    destination: { id: 1, abbreviation: "RBC", description: "" },
  } as unknown as Execution;
  const history = {
    attempts: [{ isNewest: true, startedAt: "2026-01-30T15:30:00Z" }],
    openSince: null,
  } as unknown as Attempts;
  expect(questionOf(execution, history)).toBe(
    "Do you have our execution 9 (your field tradeServiceExecutionId)? " +
      "BUY 1,234.5 IBM (security S1) to RBC, sent 2026-01-30 15:30:00.000 UTC. If so, under which id?",
  );
  execution.tradeOrder.security.securityId = "IBM";
  expect(questionOf(execution, history)).toContain("BUY 1,234.5 IBM to RBC, sent");
});

test.each([
  ["7", true],
  [" 90210 ", true],
  ["0", false],
  ["-1", false],
  ["7a", false],
  ["", false],
])("%j as an id there: %s", (text, isGood) => {
  expect(isServiceId(text)).toBe(isGood);
});

test("refusals of one kind are counted together", () => {
  expect(tallyOf([null, "execution 1 is claimed", "execution 2 is claimed", "x", null])).toEqual({
    good: 2,
    refusals: [
      ["execution … is claimed", 2],
      ["x", 1],
    ],
  });
});

test("several executions are listed, and what becomes of them", () => {
  const one = (executionId: number) => ({
    executionId,
    ticker: "IBM",
    quantity: "1234.5",
    destination: "ML",
  });
  expect(listedOf([one(7), one(8)])).toEqual(["7: 1,234.5 IBM to ML", "8: 1,234.5 IBM to ML"]);
  const many = listedOf(Array.from({ length: 9 }, (_, index) => one(index)));
  expect([many.length, many.at(-1)]).toEqual([7, "and 3 more"]);
  expect(becomeText(["exhausted", "none", "exhausted"], false)).toBe(
    "2 become exhausted: their quantities return to their orders. 1 becomes none: its order stays as it is. " +
      "Nothing is sent.",
  );
  expect(becomeText(["exhausted"], true)).toBe(
    "1 became exhausted: its quantity returns to its order. Nothing was sent.",
  );
  expect(becomeText([], false)).toBe("");
});
