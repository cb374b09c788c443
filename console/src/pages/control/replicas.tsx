import { useQuery } from "@tanstack/react-query";
import { api, read } from "../../api/client";
import type { Replica } from "../../api/contract";
import { Empty, Loading, Problem } from "../../ui/states";
import { decimalText, Moment, useZone } from "../../ui/values";
import { barOf, inOrder, isSlow } from "./model";

/** Each replica with what it holds and how long its calls take; slow and ended ones stand out. */
export function Replicas() {
  const zone = useZone();
  const replicas = useQuery({
    queryKey: ["replicas"],
    queryFn: ({ signal }) => read(api.GET("/api/v2/replicas", { signal })),
    refetchInterval: 2_000,
  });
  return (
    <section className="section" aria-labelledby="control-replicas">
      <h2 id="control-replicas">Replicas</h2>
      {replicas.data ? (
        <Table replicas={replicas.data.replicas} withinS={replicas.data.withinS} zone={zone} />
      ) : replicas.error ? (
        <Problem error={replicas.error} retry={() => void replicas.refetch()} />
      ) : (
        <Loading label="Reading replicas" />
      )}
    </section>
  );
}

function Table({ replicas, withinS, zone }: { replicas: Replica[]; withinS: number; zone: string }) {
  if (replicas.length === 0) return <Empty title="No replica has been seen" />;
  return (
    <>
      <table className="table control-replicas">
        <thead>
          <tr>
            <th scope="col">Replica</th>
            <th scope="col">State</th>
            <th scope="col" className="end">
              Holds
            </th>
            <th scope="col" className="end">
              Sent in {withinS} s
            </th>
            <th scope="col">Latency, median and 95 %</th>
            <th scope="col">Circuit</th>
            <th scope="col">Last seen, {zone}</th>
          </tr>
        </thead>
        <tbody>
          {inOrder(replicas).map((one) => (
            <Row key={one.replica} replica={one} all={replicas} />
          ))}
        </tbody>
      </table>
      <p className="control-small">
        Holds: executions that a replica has claimed. If it ends, another one takes them over once its lease
        is over. Latency: calls of the last minute.
      </p>
    </>
  );
}

function Row({ replica, all }: { replica: Replica; all: readonly Replica[] }) {
  const { p50, p95 } = replica.latencyMs;
  const isClosed = replica.circuit === "closed";
  return (
    <tr className={isSlow(replica) ? "is-slow" : replica.alive ? "" : "is-gone"}>
      <th scope="row">
        <span className="mono">{replica.replica}</span>
        <span className="control-small">
          {replica.version && `version ${replica.version}, `}
          {decimalText(replica.workers)} {replica.workers === 1 ? "worker" : "workers"}
        </span>
      </th>
      <td data-label="State">
        <span className={`badge ${replica.alive ? "state-accepted" : "state-rejected"}`}>
          {replica.alive ? "alive" : "not seen"}
        </span>
        {replica.waitsFor && <span className="control-small">waits: {replica.waitsFor}</span>}
      </td>
      <td data-label="Holds" className="end figure">
        {decimalText(replica.holds)}
        <span className="control-small">in {decimalText(replica.openAttempts)} attempts</span>
      </td>
      <td data-label="Sent" className="end figure">
        {decimalText(replica.executions)}
        <span className="control-small">in {decimalText(replica.attempts)} calls</span>
      </td>
      <td data-label="Latency">
        {p50 === null ? (
          <span className="muted">no calls</span>
        ) : (
          <>
            <span className="figure">
              {decimalText(p50)} ms, {decimalText(p95)} ms
            </span>{" "}
            {isSlow(replica) && (
              <strong className="badge state-unknown">
                slow: {decimalText(replica.slowTimes)}× the others
              </strong>
            )}
            <span className="control-bar" aria-hidden="true">
              <span style={{ width: `${barOf(replica, all)}%` }} />
            </span>
          </>
        )}
      </td>
      <td data-label="Circuit">
        {replica.circuit === null || !replica.alive ? (
          <span className="muted">–</span>
        ) : (
          <span className={`badge ${isClosed ? "state-accepted" : "state-rejected"}`}>{replica.circuit}</span>
        )}
        {replica.alive && replica.circuitReason && (
          <span className="control-small">{replica.circuitReason}</span>
        )}
      </td>
      <td data-label="Last seen">
        <Moment at={replica.lastSeenAt} short />
        <span className="control-small">
          since <Moment at={replica.startedAt} short />
        </span>
      </td>
    </tr>
  );
}
