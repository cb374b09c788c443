/** The progress of a bulk submission, and its outcomes by reason, with links to the executions. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, ConnectionLost, read } from "../api/client";
import type { SubmissionState } from "../api/contract";
import { lostSince, useStore } from "../api/session";
import type { FollowedSubmission, Progress } from "../api/submission-events";
import { Link } from "../app/router";
import { Button } from "./button";
import { Icon } from "./icons";
import { messageOf } from "./states";
import "./submission-progress.css";
import { durationText, Figure, STATES, StateBadge } from "./values";

type Counts = Pick<Progress, "totalRequested" | "successful" | "failed" | "pending">;

/** How much is accepted, failed and still open, as a bar. The figures beside it say the same. */
export function SubmissionBar({ counts }: { counts: Counts }) {
  const { totalRequested: total, successful, failed } = counts;
  const text = `${successful + failed} of ${total} done: ${successful} accepted, ${failed} failed`;
  return (
    <div className="submission-bar" role="img" aria-label={text} title={text}>
      {successful > 0 && <span className="state-accepted" style={{ flex: successful }} />}
      {failed > 0 && <span className="state-rejected" style={{ flex: failed }} />}
      {total - successful - failed > 0 && <i style={{ flex: total - successful - failed }} />}
    </div>
  );
}

export function SubmissionProgress({ followed }: { followed: FollowedSubmission }) {
  const { progress, perS, error, isFinished } = followed;
  const lost = useStore(lostSince);
  if (!progress) return null;
  const { totalRequested: total, successful, failed, pending } = progress;
  return (
    <section aria-label="Progress">
      <SubmissionBar counts={progress} />
      <dl className="submission-figures">
        {(
          [
            ["Executions", total],
            ["Accepted", successful],
            ["Failed", failed],
            ["Open", pending],
          ] as const
        ).map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              <Figure value={value} />
            </dd>
          </div>
        ))}
      </dl>
      <p className="submission-note muted">
        {isFinished ? (
          "All are final."
        ) : error || lost ? (
          <span className="text-danger">Not live: {messageOf(error ?? new ConnectionLost())}</span>
        ) : perS ? (
          `Live: ${Math.max(1, Math.round(perS))} executions/s, about ${durationText((pending / perS) * 1_000)} left.`
        ) : (
          "Live: outcomes appear as they become final."
        )}
      </p>
    </section>
  );
}

const SHOWN_IDS = 60;

/** Outcomes by state and code, failures first, then what is open. */
export function SubmissionOutcomes({ id, followed }: { id: string; followed: FollowedSubmission }) {
  const pending = followed.progress?.pending ?? 0;
  const groups = [...followed.groups.values()].sort((a, b) => rankOf(a.state) - rankOf(b.state));
  if (groups.length === 0 && pending === 0) return null;
  return (
    <ul className="submission-groups">
      {groups.map((group) => (
        <li key={`${group.state} ${group.code}`}>
          <details>
            <summary>
              <Icon name="down" />
              <StateBadge state={group.state} /> <code>{group.code}</code>
              {group.state !== "accepted" && <span className="submission-reason muted">{group.message}</span>}
              <Figure value={group.executionIds.length} />
            </summary>
            <div className="submission-members">
              <p>{group.message}</p>
              <ExecutionIds ids={group.executionIds} />
            </div>
          </details>
        </li>
      ))}
      {pending > 0 && (
        <li>
          <OpenOnes id={id} pending={pending} />
        </li>
      )}
    </ul>
  );
}

/** What failed comes first. */
const RANKED = ["rejected", "exhausted", "unknown"];
function rankOf(state: string): number {
  const rank = RANKED.indexOf(state);
  return rank >= 0 ? rank : RANKED.length + STATES.indexOf(state as SubmissionState);
}

function ExecutionIds({ ids }: { ids: readonly number[] }) {
  const [shown, setShown] = useState(SHOWN_IDS);
  return (
    <>
      <ul className="submission-ids">
        {ids.slice(0, shown).map((id) => (
          <li key={id}>
            <Link to="/executions" search={{ open: String(id) }} className="figure">
              {id}
            </Link>
          </li>
        ))}
      </ul>
      {ids.length > shown && (
        <Button onClick={() => setShown(shown + 10 * SHOWN_IDS)}>
          Show {Math.min(10 * SHOWN_IDS, ids.length - shown)} more
        </Button>
      )}
    </>
  );
}

const PAGE = 1_000;
const FINAL = new Set(["accepted", "rejected", "exhausted"]);

/** The executions that are not final yet. They are looked for only while this is unfolded. */
function OpenOnes({ id, pending }: { id: string; pending: number }) {
  const [isOpen, setOpen] = useState(false);
  const found = useQuery({
    queryKey: ["submission-open", id],
    enabled: isOpen,
    refetchInterval: 5_000,
    queryFn: async ({ signal }) => {
      const byState = new Map<string, number[]>();
      for (let offset = 0, hasNext = true; hasNext; offset += PAGE) {
        const query = { offset, limit: PAGE };
        const page = await read(
          api.GET("/api/v2/submissions/{id}", { params: { path: { id }, query }, signal }),
        );
        for (const { submissionState, executionId } of page.results) {
          const state = submissionState ?? "none";
          if (!FINAL.has(state)) byState.set(state, [...(byState.get(state) ?? []), executionId]);
        }
        hasNext = page.pagination.hasNext;
      }
      return byState;
    },
  });
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <Icon name="down" />
        <span>Open</span>
        <Figure value={pending} />
      </summary>
      <div className="submission-members">
        {found.error && <p className="text-danger">{messageOf(found.error)}</p>}
        {!found.data && !found.error && <p className="muted">Looking for them …</p>}
        {[...(found.data ?? [])].map(([state, ids]) => (
          <div key={state}>
            <StateBadge state={state} /> <Figure value={ids.length} />
            <ExecutionIds ids={ids} />
          </div>
        ))}
      </div>
    </details>
  );
}
