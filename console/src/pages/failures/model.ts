/** What the page of failures asks for, and what a requeue of many did. */

import type { components } from "../../api/schema";
import type { Search } from "../../app/location";

export type Group = components["schemas"]["FailureGroup"];
export type RequeueAnswer = components["schemas"]["RequeueAnswer"];
export type RequeueStarted = components["schemas"]["RequeueStarted"];

type State = "rejected" | "exhausted";

export interface FailureQuery {
  state?: State;
  code?: string;
  message?: string;
  from?: string;
  to?: string;
}

/** The parameters of both lists; those of an opened group win over the filter. */
export function queryOf(search: Search): FailureQuery {
  const state = search.of ?? search.state;
  const isState = state === "rejected" || state === "exhausted";
  return {
    ...(isState ? { state } : {}),
    ...(search.code ? { code: search.code } : {}),
    ...(search.message ? { message: search.message } : {}),
    ...(search.from ? { from: search.from } : {}),
    ...(search.to ? { to: search.to } : {}),
  };
}

/** The search that leads into a group. */
export function groupSearch(group: Group): Search {
  return { of: group.state, code: group.code, message: group.message };
}

/** What is requeued: ids, or all that match a query and failed no later than the newest one that was seen. */
export type Target = { ids: readonly string[] } | { query: FailureQuery; count: number; newestAt: string };

export const MOST_AT_ONCE = 10_000;

export function countOf(target: Target): number {
  return "ids" in target ? target.ids.length : target.count;
}

/** The body that selects a target. What fails after the dialog was opened is left out. */
export function selectionOf(target: Target) {
  if ("ids" in target) return { executionIds: target.ids.map(Number) };
  const { state, code, message, from, to } = target.query;
  return {
    filter: {
      ...(state ? { states: [state] } : {}),
      ...(code ? { codes: [code] } : {}),
      ...(message ? { messages: [message] } : {}),
      ...(from ? { from } : {}),
      to: earlier(to, justAfter(target.newestAt)),
    },
  };
}

/** A moment with microseconds, plus one millisecond: `to` leaves out its own moment. */
export function justAfter(moment: string): string {
  return new Date(Date.parse(moment) + 1).toISOString();
}

function earlier(a: string | undefined, b: string): string {
  return a !== undefined && Date.parse(a) < Date.parse(b) ? a : b;
}

const n = (count: number) => count.toLocaleString("en");

/** Why executions failed, in words; for what a person settled, the message is that person's reason. */
export function reasonText(code: string, message: string): string {
  return isSettled(code) ? `A person settled it as not accepted: ${message}` : message;
}

/** Whether a person, not the service, decided that it was not accepted. */
export const isSettled = (code: string | undefined) => code === "RESOLVED";

/** A dry run in words. */
export function planText(answer: RequeueAnswer): string {
  const { successful, totalRequested, more } = answer;
  const all =
    successful === totalRequested ? `All ${n(successful)}` : `${n(successful)} of ${n(totalRequested)}`;
  const rest = more
    ? ` More match: these are the first ${n(totalRequested)}; requeue the others afterwards.`
    : "";
  return `${all} can be requeued. ${consequence(successful, answer.ofEarlierEpoch)}${rest}`;
}

/** What was sent before a reset is never proven absent: it is accepted, or a person decides again. */
function consequence(count: number, earlier: number): string {
  const looked = "looked up in the ledger, and sent only if it is not there.";
  if (earlier === 0) return `Each is ${looked}`;
  const reset =
    "sent before the ledger was reset or moved. Those that it has now become accepted; " +
    "the others become unknown, are not sent, and wait for a person again.";
  if (earlier >= count) return `${count === 1 ? "It was" : "All were"} ${reset}`;
  return `${n(earlier)} of these ${earlier === 1 ? "was" : "were"} ${reset} Each of the remaining is ${looked}`;
}

export function startedText(answer: RequeueStarted): string {
  const refused = answer.refused > 0 ? ` ${n(answer.refused)} were refused and left unchanged.` : "";
  const rest = answer.more ? " More match: requeue the others afterwards." : "";
  return `${n(answer.totalRequested)} executions are requeued and followed in the background.${refused}${rest}`;
}
