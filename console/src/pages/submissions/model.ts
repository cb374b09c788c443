/** What an attempt of a bulk submission established. */

import type { components } from "../../api/schema";
import type { Tone } from "../../ui/side-panel";

export type Attempt = components["schemas"]["BulkAttempt"];

/** How many executions got each state other than accepted: the API lists those alone. */
export function outcomeCounts(attempt: Attempt): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const { state } of attempt.outcomes) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts];
}

export function toneOf(attempt: Attempt): Tone {
  if (attempt.closedAt === null) return "info";
  const states = new Set(attempt.outcomes.map((one) => one.state));
  if (states.has("rejected") || states.has("exhausted")) return "bad";
  if (states.size > 0 || attempt.code !== "OK") return "warn";
  return "good";
}
