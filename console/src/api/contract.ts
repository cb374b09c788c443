/** Bodies by the names that pages use. */

import type { components, Decimal } from "./schema";

type Schemas = components["schemas"];

export type { Decimal };
export type Execution = Schemas["ExecutionV2"];
export type TradeOrder = Schemas["TradeOrderV2"];
export type Attempts = Schemas["AttemptsAnswer"];
export type Attempt = Schemas["AttemptHistory"];
export type Evidence = Schemas["Evidence"];

export type Role = "reader" | "trader" | "operator";

export interface Me {
  /** Empty where nobody is authenticated. */
  name: string;
  roles: Role[];
  authentication: string;
  openMode: boolean;
  version: string;
  serviceName: string;
}

export type SubmissionState =
  | "none"
  | "queued"
  | "claimed"
  | "retry"
  | "unknown"
  | "accepted"
  | "rejected"
  | "exhausted";

export interface Pause {
  destination: { id: number; abbreviation: string } | null;
  reason: string;
  pausedBy: string;
  pausedAt: string;
  waiting: number;
}

export interface Alarm {
  name: string;
  severity: string;
  since: string | null;
  message: string;
  link: string | null;
}

export interface Summary {
  at: string;
  counts: Record<SubmissionState, number>;
  countsAreEstimates: Partial<Record<SubmissionState, boolean>>;
  oldestOpenSince: string | null;
  lastMinute: {
    attempts: number;
    executions: number;
    accepted: number;
    rejected: number;
    unknown: number;
    retried: number;
    executionsPerS: Decimal;
    latencyMs: { p50: Decimal | null; p95: Decimal | null; p99: Decimal | null };
  };
  circuit: { replica: string; state: string; since: string | null }[];
  paused: Pause[];
  needsYou: number;
  replicas: number;
  alarms: Alarm[];
}
