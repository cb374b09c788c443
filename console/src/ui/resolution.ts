/** A manual resolution: what one asks the operators of the Execution Service, and what an answer means. */

import type { Attempts, Decimal, Execution } from "../api/contract";
import type { components } from "../api/schema";
import { decimalText, momentText } from "./values";

export type Outcome = "ACCEPTED" | "NOT_ACCEPTED";
export type ResolveAnswer = components["schemas"]["ResolveAnswer"];

/** What is known of the execution that is resolved. */
export interface Subject {
  quantity: Decimal;
  orderId: number;
}

interface Meaning {
  summary: string;
  /** Why it cannot be done; undefined: it can. */
  refused?: string;
  /** Whether the ledger only doubts it, so that one who knows better may override it. */
  isDoubtful: boolean;
  /** Set where the ledger proves nothing: only the operator's word counts. */
  warning?: string;
}

/** What a resolution did, or what a dry run found of it. */
export function meaningOf(answer: ResolveAnswer, subject: Subject | null, force: boolean): Meaning {
  const { executionId: id, resolved, lookUp } = answer;
  const becomes = `Execution ${id} ${resolved ? "is" : "becomes"} ${answer.state}`;
  const summary = `${becomes}${consequence(answer, subject)}`;
  if (resolved) return { summary, isDoubtful: false };
  if (lookUp.sight === "contradicts")
    return { summary, refused: `The ledger contradicts this: ${lookUp.message}.`, isDoubtful: false };
  if (lookUp.sight === "doubts") {
    const doubt = `The ledger makes this unlikely: ${lookUp.message}.`;
    if (!force)
      return { summary, refused: `${doubt} If you know better, tick the box above.`, isDoubtful: true };
    return { summary, isDoubtful: true, warning: `You override the ledger: ${lookUp.message}.` };
  }
  if (lookUp.sight === "silent") {
    return { summary, isDoubtful: false, warning: `Only your word counts: ${lookUp.message}.` };
  }
  return { summary, isDoubtful: false };
}

function consequence(answer: ResolveAnswer, subject: Subject | null): string {
  if (answer.state === "accepted") {
    const as = ` as ${answer.executionServiceId} of the Execution Service`;
    const isTaken = answer.stateBefore === "rejected" || answer.stateBefore === "exhausted";
    return isTaken ? `${as}. Its quantity is taken from its order again, even beyond its total.` : `${as}.`;
  }
  const sent = `nothing ${answer.resolved ? "was" : "is"} sent`;
  if (answer.state === "none") return `. Its order stays as it is, and ${sent}.`;
  const what = subject === null ? "Its quantity returns" : `${decimalText(subject.quantity)} return`;
  const order = subject === null ? "its order" : `order ${subject.orderId}`;
  return `. ${what} to ${order}, and ${sent}.`;
}

/** Whether a text is an id that the Execution Service can have given. */
export function isServiceId(text: string): boolean {
  return /^[1-9]\d{0,18}$/.test(text.trim());
}

/** What to ask the operators of the Execution Service, to paste into a message. */
export function questionOf(execution: Execution, history: Attempts): string {
  const { tradeOrder: order, tradeType } = execution;
  const sent = history.attempts.find((one) => one.isNewest)?.startedAt ?? history.openSince;
  const what = [
    tradeType?.abbreviation,
    decimalText(execution.quantityOrdered),
    order.security.ticker,
    order.security.securityId === order.security.ticker ? null : `(security ${order.security.securityId})`,
    "to",
    execution.destination.abbreviation,
  ];
  const at = sent ? momentText(sent, true) : null;
  const when = at ? `, sent ${at.date} ${at.time} UTC` : "";
  return (
    `Do you have our execution ${execution.id} (your field tradeServiceExecutionId)? ` +
    `${what.filter(Boolean).join(" ")}${when}. If so, under which id?`
  );
}

/** An execution as one recognises it in a list. */
export interface Listed {
  executionId: number;
  ticker: string;
  quantity: Decimal;
  destination: string;
}

const MOST_LISTED = 6;

/** The first executions in words, then how many more there are. */
export function listedOf(executions: readonly Listed[]): string[] {
  const shown = executions
    .slice(0, MOST_LISTED)
    .map((one) => `${one.executionId}: ${decimalText(one.quantity)} ${one.ticker} to ${one.destination}`);
  const more = executions.length - shown.length;
  return more > 0 ? [...shown, `and ${decimalText(more)} more`] : shown;
}

/** What executions become, or became, that were not accepted. */
export function becomeText(states: readonly string[], isDone: boolean): string {
  const none = states.filter((state) => state === "none").length;
  const become = (count: number, state: string) =>
    `${decimalText(count)} ${isDone ? "became" : count === 1 ? "becomes" : "become"} ${state}`;
  const ended = states.length - none;
  return [
    ended > 0 &&
      `${become(ended, "exhausted")}: ${ended === 1 ? "its quantity returns to its order" : "their quantities return to their orders"}.`,
    none > 0 &&
      `${become(none, "none")}: ${none === 1 ? "its order stays as it is" : "their orders stay as they are"}.`,
    states.length > 0 && `Nothing ${isDone ? "was" : "is"} sent.`,
  ]
    .filter(Boolean)
    .join(" ");
}

/** Answers of several dry runs or resolutions, counted. */
export interface Tally {
  good: number;
  /** Why others were refused, the most frequent reason first. */
  refusals: readonly (readonly [reason: string, count: number])[];
}

export function tallyOf(results: readonly (string | null)[]): Tally {
  const counts = new Map<string, number>();
  for (const one of results) {
    // Ids and seconds differ within one reason.
    const reason = one?.replace(/\b\d+\b/g, "…");
    if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const refusals = [...counts].sort((a, b) => b[1] - a[1]);
  return { good: results.filter((one) => one === null).length, refusals };
}
