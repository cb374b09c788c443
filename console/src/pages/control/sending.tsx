import { useState } from "react";
import { api, read } from "../../api/client";
import type { Pause } from "../../api/contract";
import { useDestinations } from "../../api/queries";
import { ActionDialog, type ActionInput, type Effect } from "../../ui/action-dialog";
import { Icon } from "../../ui/icons";

interface Answer {
  waiting: number;
  inFlight: number;
  message: string;
}

const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

function effectOf(answer: Answer, refused?: string): Effect {
  return {
    summary: sentence(answer.message),
    refused,
    figures: [
      { label: "Executions that wait", value: answer.waiting },
      { label: "In flight: sent in any case", value: answer.inFlight },
    ],
  };
}

const pausesNow = async () => (await read(api.GET("/api/v2/pauses"))).pauses;

/** Stops sending to all destinations or to one, on every replica. */
export function PauseDialog({ onClose }: { onClose: () => void }) {
  const destinations = useDestinations();
  const [destination, setDestination] = useState("");
  const target = destination || "all destinations";
  const call = (input: ActionInput, dryRun: boolean) =>
    read(api.POST("/api/v2/pause", { body: { destination: destination || null, ...input, dryRun } }));
  const check = async (input: ActionInput) => {
    const [answer, pauses] = await Promise.all([call(input, true), pausesNow()]);
    const isPaused = pauses.some((one) => (one.destination?.abbreviation ?? "") === destination);
    return effectOf(answer, isPaused ? `Sending to ${target} is paused already.` : undefined);
  };
  return (
    <ActionDialog
      title="Pause sending"
      kind="danger"
      inputs={destination}
      fields={
        <label className="field">
          <span>What to pause</span>
          <span className="select control-select">
            <select value={destination} onChange={(event) => setDestination(event.target.value)}>
              <option value="">All destinations</option>
              {destinations.map((one) => (
                <option key={one.id} value={one.abbreviation}>
                  {one.abbreviation}
                  {one.description && ` · ${one.description}`}
                </option>
              ))}
            </select>
            <Icon name="down" />
          </span>
        </label>
      }
      confirm={() => `Pause ${target}`}
      dryRun={check}
      run={async (input) => effectOf(await call(input, false))}
      onClose={onClose}
    >
      <p>
        Holds on every replica until somebody resumes. What is being sent goes out; the rest waits, loses
        nothing, and its time budget stands still. New orders are accepted and wait, too.
      </p>
    </ActionDialog>
  );
}

/** Ends one pause. */
export function ResumeDialog({ pause, onClose }: { pause: Pause; onClose: () => void }) {
  const destination = pause.destination?.abbreviation ?? null;
  const target = destination ?? "all destinations";
  const call = (input: ActionInput, dryRun: boolean) =>
    read(api.POST("/api/v2/resume", { body: { destination, ...input, dryRun } }));
  const check = async (input: ActionInput) => {
    const [answer, pauses] = await Promise.all([call(input, true), pausesNow()]);
    const isPaused = pauses.some((one) => one.id === pause.id);
    return effectOf(answer, isPaused ? undefined : `Sending to ${target} was resumed in the meantime.`);
  };
  return (
    <ActionDialog
      title={`Resume sending to ${target}`}
      confirm={() => `Resume ${target}`}
      dryRun={check}
      run={async (input) => effectOf(await call(input, false))}
      onClose={onClose}
    >
      <p>What waits is sent within seconds. Other pauses stay in force.</p>
    </ActionDialog>
  );
}
