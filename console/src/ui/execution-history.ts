/** The history of one execution as a timeline. */

import type { Attempt, Attempts, Evidence, Execution } from "../api/contract";
import type { Tone } from "./side-panel";

export interface HistoryEntry {
  id: string;
  at: string | null;
  tone: Tone;
  title: string;
  state: string | null;
  code: string | null;
  message: string | null;
  /** Further facts, in order. */
  facts: readonly (readonly [string, string])[];
}

const TONES: Readonly<Record<string, Tone>> = {
  accepted: "good",
  rejected: "bad",
  exhausted: "bad",
  unknown: "warn",
  retry: "info",
  claimed: "info",
};

export function toneOf(state: string): Tone {
  return TONES[state] ?? "plain";
}

/** Attempts and evidence of an execution in order of time. */
export function historyOf(execution: Execution | undefined, history: Attempts): HistoryEntry[] {
  const entries: HistoryEntry[] = [];
  if (execution) {
    entries.push({ ...PLAIN, id: "created", at: execution.executionTimestamp, title: "Created" });
  }
  for (const [index, attempt] of history.attempts.entries()) {
    entries.push(...attemptEntries(attempt, index + 1, history.state));
  }
  for (const [index, one] of history.evidence.entries()) entries.push(evidenceEntry(one, index));
  // Stable: what happened at one moment keeps its order.
  return entries.sort((a, b) => momentOf(a) - momentOf(b));
}

const PLAIN = { tone: "plain" as Tone, state: null, code: null, message: null, facts: [] };

function momentOf(entry: HistoryEntry): number {
  return entry.at === null ? Number.POSITIVE_INFINITY : Date.parse(entry.at);
}

function attemptEntries(attempt: Attempt, number: number, state: string): HistoryEntry[] {
  const name = `Attempt ${number}`;
  const facts: (readonly [string, string])[] = [
    ["Batch of", String(attempt.size)],
    ["Sent by", attempt.owner],
    ["Attempt id", attempt.attemptId],
  ];
  const began: HistoryEntry = {
    ...PLAIN,
    id: `${attempt.attemptId}-began`,
    at: attempt.startedAt,
    title:
      attempt.state === "queued"
        ? `${name} is queued`
        : attempt.adopted
          ? `${name}, adopted`
          : `${name} began`,
    facts,
  };
  if (attempt.closedAt === null) {
    const until = attempt.leaseUntil === null ? [] : [["Lease until", attempt.leaseUntil] as const];
    return [{ ...began, tone: "info", facts: [...facts, ...until] }];
  }
  const call = attempt.httpStatus === null ? (attempt.kind ?? "") : `HTTP ${attempt.httpStatus}`;
  const took: (readonly [string, string])[] = [];
  if (call) took.push(["Answer", call]);
  if (attempt.durationMs !== null) took.push(["Took", `${attempt.durationMs} ms`]);
  if (attempt.lookUps > 0) took.push(["Look-ups", String(attempt.lookUps)]);
  if (attempt.nextActionAt !== null) took.push(["Next action", attempt.nextActionAt]);
  const found = attempt.outcomes.at(-1);
  const outcome = found?.state ?? (attempt.isNewest && state === "accepted" ? "accepted" : null);
  const ended: HistoryEntry = {
    id: `${attempt.attemptId}-ended`,
    at: attempt.closedAt,
    tone: outcome === null ? "plain" : toneOf(outcome),
    title: outcome === null ? `${name} ended` : `${name}:`,
    state: outcome,
    code: found?.code ?? attempt.code,
    message: found?.message ?? attempt.message,
    facts: took,
  };
  return [began, ended];
}

const SOURCES: Readonly<Record<string, string>> = {
  operator: "An operator",
  answer: "A late answer",
  look_up: "A look-up in the ledger",
  fill: "A fill report",
  books: "The ledger",
};

/** Who acted, and how the name is known, unless only the request gave it. */
export function actorText({ actor, actorKnownBy }: Pick<Evidence, "actor" | "actorKnownBy">): string {
  if (!actor) return "the service";
  return actorKnownBy && actorKnownBy !== "none" ? `${actor} (${actorKnownBy})` : actor;
}

function evidenceEntry(one: Evidence, index: number): HistoryEntry {
  const facts: (readonly [string, string])[] = [];
  if (one.actor) facts.push(["By", actorText(one)]);
  if (one.stateBefore) facts.push(["Before", one.stateBefore]);
  if (one.executionServiceId !== null) facts.push(["Id there", String(one.executionServiceId)]);
  return {
    id: `evidence-${index}`,
    at: one.foundAt,
    tone: toneOf(one.state),
    title: SOURCES[one.source] ?? one.source,
    state: one.state,
    code: one.code,
    message: one.message,
    facts,
  };
}

/** In one sentence: why an execution ended badly, or what it waits for. */
export function reasonOf(history: Attempts): string | null {
  if (history.waitsFor !== null) return `It waits for ${history.waitsFor}.`;
  if (history.state !== "rejected" && history.state !== "exhausted") return null;
  const newest = history.attempts.find((one) => one.isNewest);
  const settled = history.evidence.findLast(
    (one) => one.code === "RESOLVED" && one.attemptId === newest?.attemptId,
  );
  if (settled) return `${settled.actor ?? "A person"} settled it as not accepted: ${settled.message}`;
  const found = history.attempts.flatMap((one) => one.outcomes).at(-1);
  const last = history.attempts.at(-1);
  return found?.message ?? last?.message ?? null;
}
