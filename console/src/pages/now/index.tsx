import { useQuery } from "@tanstack/react-query";
import { api, read } from "../../api/client";
import type { SubmissionState, Summary } from "../../api/contract";
import { useSummary } from "../../api/queries";
import { usePageSearch } from "../../app/location";
import { Link } from "../../app/router";
import { Icon } from "../../ui/icons";
import { Page } from "../../ui/page";
import { Loading, Problem } from "../../ui/states";
import { decimalText, durationText, Moment, STATE_MEANING, STATES, useZone } from "../../ui/values";
import { Charts } from "./charts";
import { acceptedText, circuitsOf, inOrder, shareText, WINDOWS, type Window, windowOf } from "./model";
import "./now.css";

export default function NowPage() {
  const [search, setSearch] = usePageSearch();
  const zone = useZone();
  const chosen = windowOf(search.window);
  const summary = useSummary();
  const series = useQuery({
    queryKey: ["series", chosen],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v2/series", { params: { query: { window: chosen } }, signal })),
    refetchInterval: 2_000,
  });
  if (!summary.data) {
    return (
      <Page title="Now">
        {summary.error ? (
          <Problem error={summary.error} retry={() => void summary.refetch()} />
        ) : (
          <Loading label="Reading the figures of all replicas" />
        )}
      </Page>
    );
  }
  const { data } = summary;
  return (
    <Page
      title="Now"
      note={
        <>
          <Link to="/control">{data.replicas === 1 ? "One replica" : `All ${data.replicas} replicas`}</Link>{" "}
          at <Moment at={data.at} short /> {zone}
        </>
      }
    >
      <Alarms summary={data} />
      <States summary={data} />
      <LastMinute summary={data} />
      <section className="section" aria-labelledby="now-charts">
        <header className="now-head">
          <h2 id="now-charts">Over time</h2>
          <WindowSwitch chosen={chosen} onChange={(window) => setSearch({ window }, { replace: true })} />
        </header>
        {series.data ? (
          <Charts series={series.data} nowMs={Date.parse(data.at)} />
        ) : series.error ? (
          <Problem error={series.error} retry={() => void series.refetch()} />
        ) : (
          <Loading label="Reading what was sent" />
        )}
      </section>
    </Page>
  );
}

function Alarms({ summary }: { summary: Summary }) {
  if (summary.alarms.length === 0) {
    return (
      <p className="callout state-accepted now-calm" role="status">
        <Icon name="done" /> No alarm. Nothing here waits for a person.
      </p>
    );
  }
  return (
    <ul className="now-alarms" aria-label="Alarms">
      {inOrder(summary.alarms).map((alarm) => (
        <li
          key={`${alarm.name} ${alarm.message}`}
          className={`callout now-alarm ${alarm.severity === "critical" ? "state-rejected" : "state-unknown"}`}
        >
          <Icon name="hand" />
          <div className="now-alarm-text">
            <strong>{alarm.severity === "critical" ? "Critical" : "Warning"}</strong>
            <span>{alarm.message}</span>
            <span className="now-alarm-since">
              <code>{alarm.name}</code>
              {alarm.since && <> for {durationText(Date.parse(summary.at) - Date.parse(alarm.since))}</>}
            </span>
          </div>
          {alarm.link !== "now" && (
            <Link to={`/${alarm.link}`} className="button">
              {LINK_TEXT[alarm.link] ?? "Show"}
            </Link>
          )}
        </li>
      ))}
    </ul>
  );
}

const LINK_TEXT: Record<string, string> = {
  "needs-you": "Settle",
  failures: "Show failures",
  control: "Show replicas and pauses",
};

function States({ summary }: { summary: Summary }) {
  const all = STATES.reduce((sum, state) => sum + (summary.counts[state] ?? 0), 0);
  return (
    <section className="section" aria-labelledby="now-states">
      <h2 id="now-states">Executions by state</h2>
      <div className="tiles now-states">
        {STATES.map((state) => (
          <StateTile key={state} state={state} summary={summary} all={all} />
        ))}
      </div>
    </section>
  );
}

function StateTile({ state, summary, all }: { state: SubmissionState; summary: Summary; all: number }) {
  const count = summary.counts[state] ?? 0;
  const isEstimate = summary.countsAreEstimates[state] ?? false;
  return (
    <Link
      to="/executions"
      search={{ state }}
      className={`tile now-state state-${state} ${count === 0 ? "is-none" : ""}`}
      title={`${STATE_MEANING[state]}. Shows these executions.`}
    >
      <span className="badge">{state}</span>
      <span className="tile-value">
        {isEstimate && (
          <span className="now-unit" title="An estimate">
            <span aria-hidden="true">≈ </span>
            <span className="hidden">about </span>
          </span>
        )}
        {decimalText(count)}
      </span>
      <span className="tile-label">{shareText(count, all) || "\u00a0"}</span>
    </Link>
  );
}

function LastMinute({ summary }: { summary: Summary }) {
  const { lastMinute, counts, oldestOpenSince } = summary;
  const { p50, p95, p99 } = lastMinute.latencyMs;
  const circuits = circuitsOf(summary.circuit);
  const waiting = (counts.queued ?? 0) + (counts.retry ?? 0);
  const failed = lastMinute.rejected + lastMinute.exhausted;
  return (
    <section className="section" aria-labelledby="now-minute">
      <h2 id="now-minute">The last minute</h2>
      <dl className="tiles now-wide">
        <Tile name="Sent" value={decimalText(lastMinute.executionsPerS)} unit="/s">
          {decimalText(lastMinute.executions)} executions in {decimalText(lastMinute.attempts)} calls
        </Tile>
        <Tile name="Latency, median" value={decimalText(p50)} unit={p50 === null ? "" : "ms"}>
          95 % within {decimalText(p95)} ms, 99 % within {decimalText(p99)} ms
        </Tile>
        <Tile name="Accepted" value={acceptedText(lastMinute)}>
          {decimalText(failed)} failed, {decimalText(lastMinute.retried)} to retry,{" "}
          {decimalText(lastMinute.unknown)} unknown
        </Tile>
        <Tile name="Queue" value={decimalText(waiting)}>
          {oldestOpenSince
            ? `oldest ${waiting + (counts.claimed ?? 0) === 0 ? "unknown" : "open"} for ${durationText(Date.parse(summary.at) - Date.parse(oldestOpenSince))}; `
            : "nothing is open; "}
          {decimalText(counts.claimed ?? 0)} being sent
        </Tile>
        <Tile name="Circuit" value={circuits.text}>
          {circuits.broken.length === 0
            ? "all replicas make calls"
            : circuits.broken.map((one) => `${one.replica} ${one.state}`).join(", ")}
        </Tile>
        <Tile name="Sending" value={summary.paused.length === 0 ? "On" : "Paused"}>
          {summary.paused.length === 0
            ? "to all destinations"
            : summary.paused.map((one) => one.destination?.abbreviation ?? "all destinations").join(", ")}
        </Tile>
      </dl>
    </section>
  );
}

interface TileProps {
  name: string;
  value: string;
  unit?: string;
  children: React.ReactNode;
}

function Tile({ name, value, unit = "", children }: TileProps) {
  return (
    <div className="tile">
      <dt>{name}</dt>
      <dd>
        {value}
        {unit && <span className="now-unit"> {unit}</span>}
      </dd>
      <dd className="now-more">{children}</dd>
    </div>
  );
}

function WindowSwitch({ chosen, onChange }: { chosen: Window; onChange: (window: Window) => void }) {
  return (
    <fieldset className="now-windows" aria-label="How far back">
      {WINDOWS.map(([name, label]) => (
        <button key={name} type="button" aria-pressed={name === chosen} onClick={() => onChange(name)}>
          {label}
        </button>
      ))}
    </fieldset>
  );
}
