/** What an attempt of a bulk submission established. */

import type { components } from "../../api/schema";
import type { Tone } from "../../ui/side-panel";

export type Attempt = components["schemas"]["BulkAttempt"];

/** How many executions have each state by the newest finding: accepted at once is not among the findings. */
export function outcomeCounts(attempt: Attempt): readonly (readonly [string, number])[] {
  const newest = new Map(attempt.outcomes.map((one) => [one.executionId, one.state]));
  const counts = new Map<string, number>();
  for (const state of newest.values()) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts];
}

export function toneOf(attempt: Attempt): Tone {
  if (attempt.closedAt === null) return "info";
  const states = new Map(outcomeCounts(attempt));
  if (states.has("rejected") || states.has("exhausted")) return "bad";
  states.delete("accepted");
  return states.size > 0 || attempt.code !== "OK" ? "warn" : "good";
}
