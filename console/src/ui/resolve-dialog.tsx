/** Settles unknown outcomes by what an operator found out. */

import { useState } from "react";
import { ApiError, api, read } from "../api/client";
import { ActionDialog, type ActionInput, type Effect } from "./action-dialog";
import {
  becomeText,
  isServiceId,
  type Listed,
  listedOf,
  meaningOf,
  type Outcome,
  type ResolveAnswer,
  type Subject,
  tallyOf,
} from "./resolution";
import { Facts } from "./side-panel";
import { decimalText, StateBadge } from "./values";

interface Statement {
  outcome: Outcome;
  executionServiceId: string | null;
  force: boolean;
}

function resolve(id: string, said: Statement, input: ActionInput, dryRun: boolean): Promise<ResolveAnswer> {
  return read(
    api.POST("/api/v2/executions/{id}/resolve", {
      params: { path: { id: Number(id) } },
      body: { ...said, ...input, dryRun },
    }),
  );
}

interface ResolveDialogProps {
  id: string;
  /** What is known of it; null while it is being read. */
  subject: Subject | null;
  onClose: () => void;
}

/** Settles one execution as accepted under an id, or as not accepted. */
export function ResolveDialog({ id, subject, onClose }: ResolveDialogProps) {
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [serviceId, setServiceId] = useState("");
  const [force, setForce] = useState(false);
  const [isDoubtful, setDoubtful] = useState(false);
  const isAccepted = outcome === "ACCEPTED";
  const isIdGood = isServiceId(serviceId);
  const call = async (input: ActionInput, dryRun: boolean): Promise<Effect> => {
    if (outcome === null) throw new Error("choose what happened to it");
    const said = { outcome, executionServiceId: isAccepted ? serviceId.trim() : null, force };
    const answer = await resolve(id, said, input, dryRun);
    const meaning = meaningOf(answer, subject, force);
    setDoubtful(meaning.isDoubtful);
    return {
      summary: meaning.summary,
      refused: meaning.refused,
      figures: subject ? [{ label: "Quantity", value: subject.quantity }] : [],
      details: (
        <>
          {meaning.warning && <p className="callout state-unknown">{meaning.warning}</p>}
          <Facts
            facts={[
              ["State", <States key="states" before={answer.stateBefore} after={answer.state} />],
              ["Ledger", answer.lookUp.message],
              answer.resolved && [
                "Evidence",
                `Kept in the history: ${input.operator ? `${input.operator}: ` : ""}${input.reason}`,
              ],
            ]}
          />
        </>
      ),
    };
  };
  return (
    <ActionDialog
      title={`Resolve execution ${id}`}
      inputs={JSON.stringify([outcome, serviceId, force])}
      isComplete={outcome !== null && (!isAccepted || isIdGood)}
      confirm={() => (isAccepted ? `Resolve as accepted (${serviceId.trim()})` : "Resolve as not accepted")}
      dryRun={(input) => call(input, true)}
      run={(input) => call(input, false)}
      onClose={onClose}
      fields={
        <>
          <fieldset className="field">
            <legend>What do the operators of the Execution Service say?</legend>
            {OUTCOMES.map(([value, label]) => (
              <label key={value} className="check">
                <input
                  type="radio"
                  name="outcome"
                  value={value}
                  checked={outcome === value}
                  onChange={() => {
                    setOutcome(value);
                    setDoubtful(false);
                    setForce(false);
                  }}
                />
                {label}
              </label>
            ))}
          </fieldset>
          {isAccepted && (
            <label className="field">
              <span>Its id there (required)</span>
              <input
                inputMode="numeric"
                autoComplete="off"
                value={serviceId}
                aria-invalid={serviceId !== "" && !isIdGood}
                onChange={(event) => {
                  setServiceId(event.target.value);
                  setDoubtful(false);
                  setForce(false);
                }}
              />
            </label>
          )}
          {(isDoubtful || force) && (
            <label className="check">
              <input type="checkbox" checked={force} onChange={(event) => setForce(event.target.checked)} />I
              know better than the ledger: override its doubt
            </label>
          )}
        </>
      }
    >
      <p>The ledger is read before anything changes. What it contradicts is refused.</p>
    </ActionDialog>
  );
}

const OUTCOMES: readonly (readonly [Outcome, string])[] = [
  ["ACCEPTED", "It was accepted there, under an id that they know"],
  ["NOT_ACCEPTED", "It was not accepted: they do not have it"],
];

function States({ before, after }: { before: string; after: string }) {
  return (
    <span>
      <StateBadge state={before} /> → <StateBadge state={after} />
    </span>
  );
}

interface ResolveManyProps {
  executions: readonly Listed[];
  onClose: () => void;
}

/** Settles several executions as not accepted. Each is checked against the ledger by itself. */
export function ResolveManyDialog({ executions, onClose }: ResolveManyProps) {
  const [progress, setProgress] = useState("");
  const ids = executions.map((one) => String(one.executionId));
  const call = async (input: ActionInput, dryRun: boolean): Promise<Effect> => {
    const said: Statement = { outcome: "NOT_ACCEPTED", executionServiceId: null, force: false };
    const refusals: (string | null)[] = [];
    const states: string[] = [];
    let silent = 0;
    // One after the other: each reads the ledger.
    for (const [index, id] of ids.entries()) {
      setProgress(
        `${dryRun ? "Checking against the ledger" : "Resolving"}: ${decimalText(index + 1)} of ${decimalText(ids.length)} …`,
      );
      try {
        const answer = await resolve(id, said, input, dryRun);
        const { refused } = meaningOf(answer, null, false);
        if (answer.lookUp.sight === "silent") silent += 1;
        refusals.push(refused ?? null);
        if (refused === undefined) states.push(answer.state);
      } catch (error) {
        // Of one execution; without a connection, or a right to it, none of the others would do better.
        if (!(error instanceof ApiError) || (error.status !== 409 && error.status !== 404)) throw error;
        refusals.push(error.message);
      }
    }
    const tally = tallyOf(refusals);
    const done = dryRun ? "can be resolved" : "were resolved";
    const summary = `${tally.good} of ${ids.length} ${done} as not accepted. ${becomeText(states, !dryRun)}`;
    return {
      summary,
      refused: tally.good === 0 ? `None of ${ids.length} can be resolved as not accepted.` : undefined,
      figures: [
        { label: dryRun ? "Can be resolved" : "Resolved", value: tally.good },
        { label: "Refused", value: ids.length - tally.good },
      ],
      details: (
        <>
          {silent > 0 && dryRun && (
            <p className="callout state-unknown">
              Only your word counts{silent < tally.good ? ` for ${decimalText(silent)} of them` : ""}: the
              ledger proves nothing.
            </p>
          )}
          {tally.refusals.length > 0 && (
            <ul>
              {tally.refusals.slice(0, 5).map(([reason, count]) => (
                <li key={reason}>
                  {decimalText(count)} × {reason}
                </li>
              ))}
            </ul>
          )}
        </>
      ),
    };
  };
  return (
    <ActionDialog
      title={`Resolve ${ids.length} executions as not accepted`}
      inputs={ids.join()}
      progress={progress}
      confirm={() => `Resolve ${ids.length} as not accepted`}
      dryRun={(input) => call(input, true)}
      run={(input) => call(input, false)}
      onClose={onClose}
    >
      <ul>
        {listedOf(executions).map((line) => (
          <li key={line} className="figure">
            {line}
          </li>
        ))}
      </ul>
      <p>
        Use this only if the operators of the Execution Service say that they have none of them. What the
        ledger contradicts is refused. Resolve those that were accepted one by one, with their ids there.
      </p>
    </ActionDialog>
  );
}
