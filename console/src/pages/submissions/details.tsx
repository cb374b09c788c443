/** One bulk submission, live: progress, outcomes by reason, and the attempts that sent it. */

import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { api, read } from "../../api/client";
import { useSubmissionEvents } from "../../api/submission-events";
import { Button } from "../../ui/button";
import { CopyButton } from "../../ui/copy";
import { Facts, SidePanel } from "../../ui/side-panel";
import { Loading, Problem } from "../../ui/states";
import { SubmissionOutcomes, SubmissionProgress } from "../../ui/submission-progress";
import { Timeline } from "../../ui/timeline";
import { useAnnounce } from "../../ui/toast";
import { Moment, StateBadge } from "../../ui/values";
import { type Attempt, outcomeCounts, toneOf } from "./model";

export function SubmissionDetails({ id, onClose }: { id: string; onClose: () => void }) {
  const followed = useSubmissionEvents(id);
  const announce = useAnnounce();
  const queries = useQueryClient();
  const { progress, isFinished, error } = followed;
  useEffect(() => {
    if (!isFinished) return;
    announce("The submission is finished");
    void queries.invalidateQueries({ queryKey: ["submission-attempts", id] });
  }, [isFinished, id, announce, queries]);
  return (
    <SidePanel
      label={`Submission ${id}`}
      title={
        <>
          <span>Submission</span>
          <CopyButton text={id} label="Copy the id" />
        </>
      }
      onClose={onClose}
    >
      {error && !progress ? (
        <Problem error={error} />
      ) : !progress ? (
        <Loading />
      ) : (
        <>
          <Facts
            facts={[
              ["Id", <code key="id">{id}</code>],
              ["Submitted", <Moment key="at" at={progress.createdAt} />],
            ]}
          />
          <SubmissionProgress followed={followed} />
          <section aria-label="Outcomes">
            <h3>Outcomes</h3>
            <SubmissionOutcomes id={id} followed={followed} />
          </section>
          <AttemptsOf id={id} isFinished={isFinished} />
        </>
      )}
    </SidePanel>
  );
}

const PAGE = 20;

function AttemptsOf({ id, isFinished }: { id: string; isFinished: boolean }) {
  const attempts = useInfiniteQuery({
    queryKey: ["submission-attempts", id],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam: after, signal }) => {
      const params = { path: { id }, query: { after, limit: PAGE } };
      return read(api.GET("/api/v2/submissions/{id}/attempts", { params, signal }));
    },
    getNextPageParam: (page) => page.nextAfter ?? undefined,
    refetchInterval: isFinished ? false : 2_000,
  });
  const found = attempts.data?.pages.flatMap((page) => page.attempts) ?? [];
  return (
    <section aria-label="Attempts">
      <h3>Attempts</h3>
      {attempts.error && !attempts.data ? (
        <Problem error={attempts.error} retry={() => void attempts.refetch()} />
      ) : attempts.isPending ? (
        <Loading />
      ) : found.length === 0 ? (
        <p className="muted">None yet: its executions wait for a sender.</p>
      ) : (
        <Timeline
          label="Attempts"
          items={found.map((one, index) => ({
            id: one.attemptId,
            at: one.startedAt,
            tone: toneOf(one),
            title: `Attempt ${index + 1}: ${one.executionIds.length.toLocaleString("en")} executions`,
            body: <AttemptBody attempt={one} />,
          }))}
        />
      )}
      {attempts.hasNextPage && (
        <Button onClick={() => void attempts.fetchNextPage()} disabled={attempts.isFetchingNextPage}>
          Show further attempts
        </Button>
      )}
    </section>
  );
}

function AttemptBody({ attempt }: { attempt: Attempt }) {
  return (
    <>
      {attempt.closedAt !== null && (
        <p>
          {attempt.code && <code>{attempt.code}</code>} {attempt.message}
        </p>
      )}
      <p className="muted submissions-attempt">
        <span>
          {attempt.closedAt !== null
            ? attempt.state
            : attempt.state === "queued"
              ? "waits for a sender"
              : attempt.lookUps > 0
                ? "being looked up in the ledger"
                : "in progress"}
        </span>
        {attempt.durationMs !== null && <span>Took {attempt.durationMs} ms</span>}
        {attempt.lookUps > 0 && <span>Look-ups {attempt.lookUps}</span>}
        <span>Sent by {attempt.owner}</span>
        <span>
          <code>{attempt.attemptId.slice(0, 13)}…</code>{" "}
          <CopyButton text={attempt.attemptId} label="Copy the attempt id" />
        </span>
      </p>
      {outcomeCounts(attempt).map(([state, count]) => (
        <span key={state} className="submissions-attempt">
          <StateBadge state={state} /> {count.toLocaleString("en")}
        </span>
      ))}
    </>
  );
}
