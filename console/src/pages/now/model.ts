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

/** How much older than `nowMs` a series can be: a tenth of a step, and this. */
const READ_WITHIN_S = 3;

/** A series as rates. A step that may have been read before its end is left out: it would make the line drop. */
export function ratesOf(series: CallSeries, nowMs: number): Rates {
  const rates: Rates = {
    at: [],
    perS: { accepted: [], rejected: [], retried: [], unknown: [], exhausted: [] },
    p50Ms: [],
    p95Ms: [],
  };
  for (const point of series.points) {
    const at = Date.parse(point.at);
    if ((nowMs - at) / 1000 < series.stepS * 1.1 + READ_WITHIN_S) continue;
    rates.at.push(at);
    for (const name of OUTCOMES) rates.perS[name].push(Math.round((point[name] / series.stepS) * 100) / 100);
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

/** The share of a whole: `12.3 %`. Only all is `100 %`, only none is nothing: neither is reached by rounding. */
export function shareText(part: number, whole: number): string {
  if (whole === 0 || part === 0) return "";
  if (part === whole) return "100 %";
  const percent = (part / whole) * 100;
  if (percent < 0.1) return "< 0.1 %";
  if (percent > 99.9) return "> 99.9 %";
  return `${percent.toFixed(percent < 10 || percent >= 99 ? 1 : 0)} %`;
}

/** The share of the last minute's executions with an outcome that were accepted; what is in flight has none yet. */
export function acceptedText(minute: Summary["lastMinute"]): string {
  const { accepted, rejected, retried, unknown, exhausted } = minute;
  const known = accepted + rejected + retried + unknown + exhausted;
  if (known === 0) return "–";
  return shareText(accepted, known) || "0 %";
}
