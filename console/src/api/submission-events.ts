/** A bulk submission as its event stream reports it: the progress, and every outcome as it becomes final. */

import { createParser } from "eventsource-parser";
import { useEffect, useState } from "react";
import { ApiError, fetchWithKey, requestOf } from "./client";
import { parseExact } from "./lossless";
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Progress = Schemas["ProgressAnswer"];
export type Outcome = Schemas["ExecutionResultAnswer"];

/** Outcomes of one kind. */
export interface OutcomeGroup {
  state: string;
  code: string;
  /** Of the first one. */
  message: string;
  executionIds: readonly number[];
}

export interface FollowedSubmission {
  progress: Progress | null;
  groups: ReadonlyMap<string, OutcomeGroup>;
  /** Executions a second of late; null while too little is known. */
  perS: number | null;
  isFinished: boolean;
  /** Why the stream does not open; it is tried again. */
  error: Error | null;
}

export const NOTHING_YET: FollowedSubmission = {
  progress: null,
  groups: new Map(),
  perS: null,
  isFinished: false,
  error: null,
};

export interface StreamEvent {
  event?: string;
  data: string;
}

/** What is known after further events. Groups that did not change stay the same objects. */
export function withEvents(now: FollowedSubmission, events: readonly StreamEvent[]): FollowedSubmission {
  let { progress, isFinished } = now;
  const added = new Map<string, Outcome[]>();
  for (const { event, data } of events) {
    if (event === "result") {
      const one = parseExact(data) as Outcome;
      const key = `${one.submissionState ?? "none"} ${one.code}`;
      const list = added.get(key);
      if (list) list.push(one);
      else added.set(key, [one]);
    } else if (event === "progress" || event === "finished") {
      progress = parseExact(data) as Progress;
      isFinished = event === "finished";
    }
  }
  let { groups } = now;
  if (added.size > 0) {
    const next = new Map(groups);
    for (const [key, list] of added) {
      const first = list[0] as Outcome;
      const before = next.get(key);
      const ids = list.map((one) => one.executionId);
      next.set(key, {
        state: first.submissionState ?? "none",
        code: first.code,
        message: before?.message ?? first.message,
        executionIds: before ? [...before.executionIds, ...ids] : ids,
      });
    }
    groups = next;
  }
  return { ...now, progress, groups, isFinished, error: null };
}

const PACE_MS = 10_000;

export interface Sample {
  atMs: number;
  done: number;
}

/** Executions a second within the last ten seconds of samples. */
export function paceOf(samples: readonly Sample[]): number | null {
  const last = samples.at(-1);
  const first = last && samples.find((one) => last.atMs - one.atMs <= PACE_MS);
  if (!last || !first || last.atMs - first.atMs < 500 || last.done <= first.done) return null;
  return ((last.done - first.done) * 1_000) / (last.atMs - first.atMs);
}

const RETRY_MS = 2_000;
/** After the service closed the stream in good order, as it does after some minutes. */
const REOPEN_MS = 250;

/** The service writes more often than this, if only a comment. */
const SILENT_MS = 60_000;

/** The next part. Of a connection that is silent for too long, it ends the stream. */
async function readOrGiveUp(reader: ReadableStreamDefaultReader<string>) {
  const timer = setTimeout(() => void reader.cancel(), SILENT_MS);
  try {
    return await reader.read();
  } finally {
    clearTimeout(timer);
  }
}

/** Reads the stream until all is final; reopens it where it ended. Ends by `signal` alone before that. */
async function follow(
  id: string,
  start: FollowedSubmission,
  onChange: (now: FollowedSubmission) => void,
  signal: AbortSignal,
): Promise<void> {
  let now = start;
  let lastId = "";
  for (const group of start.groups.values()) lastId = String(Number(lastId) + group.executionIds.length);
  const samples: Sample[] = [];
  const report = (next: FollowedSubmission) => {
    now = next;
    onChange(now);
  };
  while (!signal.aborted && !now.isFinished) {
    let waitMs = REOPEN_MS;
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (lastId) headers["Last-Event-ID"] = lastId;
      const path = `/api/v2/submissions/${encodeURIComponent(id)}/events`;
      const response = await fetchWithKey(requestOf("GET", path, { headers, signal }));
      let events: StreamEvent[] = [];
      let seenId = lastId;
      const parser = createParser({
        onEvent: (event) => {
          events.push(event);
          if (event.id) seenId = event.id;
        },
        // Sent while nothing happens: what was measured before is no longer true.
        onComment: () => report({ ...now, perS: null }),
      });
      const text = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      const next = async () => (text ? readOrGiveUp(text) : undefined);
      for (let part = await next(); part && !part.done; part = await next()) {
        parser.feed(part.value);
        if (events.length === 0) continue;
        const known = withEvents(now, events);
        lastId = seenId;
        events = [];
        if (known.progress) {
          const { totalRequested, pending } = known.progress;
          samples.push({ atMs: performance.now(), done: totalRequested - pending });
        }
        if (samples.length > 200) samples.splice(0, 100);
        report({ ...known, perS: paceOf(samples) });
      }
    } catch (error) {
      if (signal.aborted) return;
      report({ ...now, error: error as Error });
      if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429)
        return;
      waitMs = RETRY_MS;
    }
    if (!now.isFinished) await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/** Follows a bulk submission live. In a hidden tab the stream is closed, and continued later. */
export function useSubmissionEvents(id: string): FollowedSubmission {
  const [followed, setFollowed] = useState({ id, now: NOTHING_YET });
  useEffect(() => {
    let now = NOTHING_YET;
    let control: AbortController | null = null;
    const onChange = (next: FollowedSubmission) => {
      now = next;
      setFollowed({ id, now });
    };
    const update = () => {
      control?.abort();
      control = null;
      if (document.visibilityState === "hidden" || now.isFinished) return;
      control = new AbortController();
      void follow(id, now, onChange, control.signal);
    };
    update();
    document.addEventListener("visibilitychange", update);
    return () => {
      document.removeEventListener("visibilitychange", update);
      control?.abort();
    };
  }, [id]);
  return followed.id === id ? followed.now : NOTHING_YET;
}
