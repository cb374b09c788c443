/** Submits many ended executions again, and follows them in the background. */

import { api, read } from "../../api/client";
import { ActionDialog, type ActionInput, type Effect } from "../../ui/action-dialog";
import { decimalText } from "../../ui/values";
import {
  countOf,
  isSettled,
  MOST_AT_ONCE,
  planText,
  type RequeueAnswer,
  selectionOf,
  startedText,
  type Target,
} from "./model";
import { Progress } from "./progress";

interface RequeueManyProps {
  target: Target;
  /** Given the bulk submission that follows them. */
  onStarted: (submissionId: string) => void;
  onClose: () => void;
}

export function RequeueMany({ target, onStarted, onClose }: RequeueManyProps) {
  const count = Math.min(countOf(target), MOST_AT_ONCE);
  const call = (input: ActionInput, dryRun: boolean) =>
    read(
      api.POST("/api/v2/executions/requeue", {
        body: { ...selectionOf(target), ...input, dryRun },
        headers: { Prefer: "respond-async" },
      }),
    );
  const dryRun = async (input: ActionInput): Promise<Effect> => {
    const answer = await call(input, true);
    if (!("results" in answer)) throw new Error("the service did not answer with a plan");
    return planOf(answer);
  };
  const run = async (input: ActionInput): Promise<Effect> => {
    const answer = await call(input, false);
    if ("results" in answer) return { summary: answer.message };
    onStarted(answer.submissionId);
    return {
      heading: "Started",
      summary: startedText(answer),
      figures: [
        { label: "Requeued", value: answer.totalRequested },
        { label: "Refused", value: answer.refused },
      ],
      details: <Progress id={answer.submissionId} />,
    };
  };
  return (
    <ActionDialog
      title={`Requeue ${decimalText(countOf(target))} executions`}
      inputs={JSON.stringify(target)}
      confirm={(effect) => `Requeue ${decimalText(effect?.figures?.[0]?.value ?? count)}`}
      dryRun={dryRun}
      run={run}
      onClose={onClose}
    >
      {"query" in target && target.query.code && (
        <p>
          {isSettled(target.query.code) ? "All that a person settled with" : "All that failed with"}{" "}
          <code>{target.query.code}</code>
          {target.query.message && `: ${target.query.message}`}
        </p>
      )}
      <p>
        {"query" in target && isSettled(target.query.code)
          ? "They count as not accepted: requeue them only if they should be sent after all."
          : "Remove the cause first."}{" "}
        Each execution is looked up in the Execution Service&apos;s ledger from its first attempt on. It is
        sent again only if that proves that it is not there.
      </p>
    </ActionDialog>
  );
}

const SHOWN = 5;

function planOf(answer: RequeueAnswer): Effect {
  const refused = answer.results.filter((one) => one.status !== "REQUEUED");
  const nothing =
    answer.totalRequested === 0
      ? "None matches any more."
      : answer.successful === 0
        ? `None of ${decimalText(answer.totalRequested)} can be requeued.`
        : undefined;
  return {
    summary: planText(answer),
    refused: nothing,
    figures: [
      { label: "Can be requeued", value: answer.successful },
      { label: "Quantity", value: answer.quantity },
      { label: "Refused", value: answer.failed },
    ],
    details: answer.failed > 0 && (
      <>
        <p>
          Refused:{" "}
          {Object.entries(answer.refusals).map(([code, many]) => (
            <span key={code}>
              {decimalText(many)} × <code>{code}</code>{" "}
            </span>
          ))}
        </p>
        <ul className="muted">
          {refused.slice(0, SHOWN).map((one) => (
            <li key={one.executionId}>
              {one.executionId}: {one.message}
            </li>
          ))}
        </ul>
      </>
    ),
  };
}
