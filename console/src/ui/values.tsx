/** How values are written: decimals digit for digit, moments with their zone, states as badges. */

import { Fragment } from "react";
import type { Decimal, SubmissionState } from "../api/contract";
import { createStore, useStore } from "../api/session";

/** All digits, thousands separated. Never converted to a float. */
export function decimalText(value: Decimal | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const match = /^([+-]?)(\d+)(\.\d+)?(e.*)?$/i.exec(String(value));
  if (!match) return String(value);
  const [, sign = "", whole = "", fraction = "", exponent = ""] = match;
  return sign.replace("-", "−") + whole.replace(/\B(?=(\d{3})+$)/g, ",") + fraction + exponent;
}

export function Figure({ value }: { value: Decimal | null | undefined }) {
  return <span className="figure">{decimalText(value)}</span>;
}

/** A code, which breaks between its words where it must. */
export function Code({ text }: { text: string }) {
  return (
    <code>
      {text.split("_").map((word, index, words) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: words may repeat, and their order is fixed
        <Fragment key={index}>
          {index < words.length - 1 ? `${word}_` : word}
          <wbr />
        </Fragment>
      ))}
    </code>
  );
}

/** `12.3 k`, `1.2 M`: a count where every digit would be in the way. */
export function compactText(count: number | null | undefined): string {
  if (count === null || count === undefined) return "–";
  for (const [size, unit] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const) {
    if (count >= 10 * size) return `${Math.floor(count / size).toLocaleString("en")}${unit}`;
    if (count >= size) return `${(Math.floor(count / (size / 10)) / 10).toFixed(1)}${unit}`;
  }
  return String(count);
}

/** For charts and estimates only: exact values stay `Decimal`. */
export function roughly(value: Decimal | null | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}

/** Times in the zone of the browser, or in UTC. */
const ZONE = "trade-service.utc";
export const isUtc = createStore(localStorage.getItem(ZONE) === "1");

export function setUtc(value: boolean): void {
  localStorage.setItem(ZONE, value ? "1" : "0");
  isUtc.set(value);
}

const pad = (value: number, length = 2) => String(value).padStart(length, "0");

/** `UTC`, or `UTC+02:00` at that moment. */
export function zoneName(moment: Date, utc: boolean): string {
  const minutes = utc ? 0 : -moment.getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? "−" : "+"}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

export function momentText(text: string, utc: boolean): { date: string; time: string; zone: string } {
  const moment = new Date(text);
  if (Number.isNaN(moment.getTime())) return { date: text, time: "", zone: "" };
  const zoned = utc ? moment : new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  const iso = zoned.toISOString();
  return { date: iso.slice(0, 10), time: iso.slice(11, 23), zone: zoneName(moment, utc) };
}

/** The moment of an ISO text without an offset, in UTC; undefined where it is none. */
export function momentOf(text: string, utc: boolean): string | undefined {
  const moment = new Date(utc ? `${text}Z` : text);
  return Number.isNaN(moment.getTime()) ? undefined : moment.toISOString();
}

interface MomentProps {
  at: string | null | undefined;
  /** `short` leaves out the date of today, milliseconds and the zone, which the heading names. */
  short?: boolean;
}

export function Moment({ at, short = false }: MomentProps) {
  const utc = useStore(isUtc);
  if (!at) return <span className="muted">–</span>;
  const { date, time, zone } = momentText(at, utc);
  const today = momentText(new Date().toISOString(), utc).date;
  const shown = short
    ? `${date === today ? "" : `${date.slice(5)} `}${time.slice(0, 8)}`
    : `${date} ${time} ${zone}`;
  return (
    <time dateTime={at} title={`${date} ${time} ${zone} (${at})`} className="figure">
      {shown}
    </time>
  );
}

/** The zone that headings name. */
export function useZone(): string {
  return zoneName(new Date(), useStore(isUtc));
}

/** `3 min`, `2 h 05 min`: how long from one moment to another. */
export function durationText(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 1) return `${Math.max(0, Math.round(ms))} ms`;
  if (s < 60) return `${s} s`;
  if (s < 3_600) return `${Math.floor(s / 60)} min ${pad(s % 60)} s`;
  if (s < 86_400) return `${Math.floor(s / 3_600)} h ${pad(Math.floor((s % 3_600) / 60))} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3_600)} h`;
}

export const STATES: readonly SubmissionState[] = [
  "queued",
  "claimed",
  "retry",
  "unknown",
  "accepted",
  "rejected",
  "exhausted",
  "none",
];

export const STATE_MEANING: Record<SubmissionState, string> = {
  none: "Never submitted",
  queued: "Waits for a sender",
  claimed: "Its call may be in progress",
  retry: "Provably not accepted; due for another attempt",
  unknown: "May have been accepted; only evidence decides",
  accepted: "Accepted by the Execution Service",
  rejected: "Refused for good; its quantity went back to the order",
  exhausted: "Not accepted, budget spent; its quantity went back to the order",
};

export function StateBadge({ state }: { state: string }) {
  const meaning = STATE_MEANING[state as SubmissionState];
  return (
    <span className={`badge state-${state}`} title={meaning}>
      {state}
    </span>
  );
}
