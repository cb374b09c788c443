/** What the page of control computes: in which order replicas stand, and how long their bars are. */

import type { Replica } from "../../api/contract";
import { roughly } from "../../ui/values";

/** Whether its calls take much longer than those of the others; a replica of an earlier version does not say so. */
export function isSlow(replica: Replica): boolean {
  return (replica.slowTimes ?? null) !== null;
}

/** Those that need a look first: gone but holding something, circuit not closed, slow; then by name. */
export function inOrder(replicas: readonly Replica[]): Replica[] {
  const weight = (one: Replica) => {
    if (!one.alive) return one.holds > 0 ? 0 : 4;
    if (one.circuit !== null && one.circuit !== "closed") return 1;
    return isSlow(one) ? 2 : 3;
  };
  return replicas.toSorted(
    (one, other) => weight(one) - weight(other) || one.replica.localeCompare(other.replica),
  );
}

/** The width of a bar, in percent of the longest. */
export function barOf(replica: Replica, all: readonly Replica[]): number {
  const most = Math.max(...all.map((one) => roughly(one.latencyMs.p50) ?? 0));
  const own = roughly(replica.latencyMs.p50) ?? 0;
  return most === 0 ? 0 : Math.round((own / most) * 100);
}
