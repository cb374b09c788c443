import type { CallSeries } from "../../api/contract";
import { TimeChart } from "../../ui/time-chart";
import { ratesOf } from "./model";

/** What the calls of all replicas did, and how long they took. */
export function Charts({ series, nowMs }: { series: CallSeries; nowMs: number }) {
  const { at, perS, p50Ms, p95Ms } = ratesOf(series, nowMs);
  return (
    <>
      {!series.complete && (
        <p className="muted" role="status">
          Older steps are still being read.
        </p>
      )}
      <div className="now-charts">
        <div className="card">
          <TimeChart
            label="Accepted, executions per second"
            at={at}
            series={[{ label: "accepted", color: "--state-accepted", values: perS.accepted, isArea: true }]}
          />
        </div>
        <div className="card">
          <TimeChart
            label="Latency of calls, ms"
            at={at}
            series={[
              { label: "median", color: "--chart-1", values: p50Ms },
              { label: "95 % within", color: "--chart-3", values: p95Ms },
            ]}
          />
        </div>
        <div className="card now-chart-wide">
          <TimeChart
            label="Not accepted at once, executions per second"
            at={at}
            height={150}
            series={[
              { label: "unknown", color: "--state-unknown", values: perS.unknown },
              { label: "retried", color: "--state-retry", values: perS.retried },
              { label: "rejected", color: "--state-rejected", values: perS.rejected },
              { label: "exhausted", color: "--state-exhausted", values: perS.exhausted },
            ]}
          />
        </div>
      </div>
    </>
  );
}
