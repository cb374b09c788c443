/** What the page of the present computes: rates of a series, the order of alarms, circuits in words. */

import type { CallSeries, Summary } from "../../api/contract";

export const WINDOWS = [
  ["15m", "15 min"],
  ["1h", "1 h"],
  ["6h", "6 h"],
  ["24h", "24 h"],
] as const;
export type Window = (typeof WINDOWS)[number][0];

export function windowOf(text: string | undefined): Window {
  return WINDOWS.find(([name]) => name === text)?.[0] ?? "1h";
}

const OUTCOMES = ["accepted", "rejected", "retried", "unknown", "exhausted"] as const;
type Outcome = (typeof OUTCOMES)[number];

export interface Rates {
  /** Moments of the steps, in milliseconds. */
  at: number[];
  /** Executions per second. */
  perS: Record<Outcome, number[]>;
  p50Ms: (number | null)[];
  p95Ms: (number | null)[];
}

/** Below this share of its step, the last point says more about chance than about the rate. */
const LEAST_SHARE = 0.25;

/** A series as rates. The step that is not over yet counts for the part of it that has passed by `nowMs`. */
export function ratesOf(series: CallSeries, nowMs: number): Rates {
  const rates: Rates = {
    at: [],
    perS: { accepted: [], rejected: [], retried: [], unknown: [], exhausted: [] },
    p50Ms: [],
    p95Ms: [],
  };
  for (const point of series.points) {
    const at = Date.parse(point.at);
    const passedS = Math.min(series.stepS, (nowMs - at) / 1000);
    if (passedS < series.stepS * LEAST_SHARE) continue;
    rates.at.push(at);
    for (const name of OUTCOMES) rates.perS[name].push(Math.round((point[name] / passedS) * 100) / 100);
    rates.p50Ms.push(point.p50Ms === null ? null : Number(point.p50Ms));
    rates.p95Ms.push(point.p95Ms === null ? null : Number(point.p95Ms));
  }
  return rates;
}

/** Critical ones first, then those that last longest. */
export function inOrder(alarms: Summary["alarms"]): Summary["alarms"] {
  const weight = (one: Summary["alarms"][number]) => (one.severity === "critical" ? 0 : 1);
  const since = (one: Summary["alarms"][number]) => (one.since ? Date.parse(one.since) : Number.MAX_VALUE);
  return alarms.toSorted((one, other) => weight(one) - weight(other) || since(one) - since(other));
}

/** `3 of 3 closed`, and the replicas whose circuit is not. */
export function circuitsOf(circuits: Summary["circuit"]): { text: string; broken: Summary["circuit"] } {
  const broken = circuits.filter((one) => one.state !== "closed");
  const text =
    circuits.length === 0 ? "–" : `${circuits.length - broken.length} of ${circuits.length} closed`;
  return { text, broken };
}

/** The share of a whole: `12.3 %`; small ones are not rounded away. */
export function shareText(part: number, whole: number): string {
  if (whole === 0 || part === 0) return "";
  const percent = (part / whole) * 100;
  return percent < 0.1 ? "< 0.1 %" : `${percent.toFixed(percent < 10 ? 1 : 0)} %`;
}
