/** What the page of control computes: which replica is slow, and in which order replicas stand. */

import type { Replica } from "../../api/contract";
import { roughly } from "../../ui/values";

/** A replica is slow whose median is this many times that of the others, and this much above it. */
const SLOW_TIMES = 2;
const SLOW_BY_MS = 20;

/** How many times the median latency of a replica is that of the others; null unless it is slow. */
export function slownessOf(replica: Replica, all: readonly Replica[]): number | null {
  const own = replica.alive ? roughly(replica.latencyMs.p50) : null;
  const others = all
    .filter((one) => one.replica !== replica.replica && one.alive)
    .map((one) => roughly(one.latencyMs.p50))
    .filter((one) => one !== null)
    .toSorted((one, other) => one - other);
  // The lower one of two in the middle: a single fast replica is enough to compare with.
  const usual = others[Math.floor((others.length - 1) / 2)];
  if (own === null || usual === undefined || usual <= 0) return null;
  return own >= usual * SLOW_TIMES && own - usual >= SLOW_BY_MS ? own / usual : null;
}

/** Those that need a look first: gone but holding something, circuit not closed, slow; then by name. */
export function inOrder(replicas: readonly Replica[]): Replica[] {
  const weight = (one: Replica) => {
    if (!one.alive) return one.holds > 0 ? 0 : 4;
    if (one.circuit !== null && one.circuit !== "closed") return 1;
    return slownessOf(one, replicas) === null ? 3 : 2;
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
