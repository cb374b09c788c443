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

export type Me = Schemas["CallerAnswer"];

export type SubmissionState =
  | "none"
  | "queued"
  | "claimed"
  | "retry"
  | "unknown"
  | "accepted"
  | "rejected"
  | "exhausted";

export type Summary = Schemas["ServiceSummary"];
export type CallSeries = Schemas["CallSeries"];
export type Replica = Schemas["ReplicaAnswer"];
export type Pause = Schemas["PauseAnswer"];
export type Audit = Schemas["AuditAnswer"];
export type AuditRun = Schemas["AuditRunAnswer"];
export type AuditEntry = Schemas["AuditEntry"];
export type FoundEvidence = Schemas["FoundEvidence"];
export type Pagination = Schemas["Pagination"];
