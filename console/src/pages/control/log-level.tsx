import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { request } from "../../api/client";
import { ActionDialog, type Effect } from "../../ui/action-dialog";
import { Button } from "../../ui/button";
import { Icon } from "../../ui/icons";
import { Loading, Problem } from "../../ui/states";

const PATH = "/actuator/loggers";
const RESTORE = "the level of the settings";

interface Loggers {
  levels: string[];
  loggers: { ROOT: { effectiveLevel: string } };
}

const levelsNow = (signal?: AbortSignal) => request<Loggers>("GET", PATH, { signal });

/** The log level of the replica that answers. */
export function LogLevel() {
  const [isOpen, setOpen] = useState(false);
  const levels = useQuery({
    queryKey: ["loggers"],
    queryFn: ({ signal }) => levelsNow(signal),
    refetchInterval: 10_000,
  });
  return (
    <section className="section" aria-labelledby="control-log">
      <h2 id="control-log">Log level</h2>
      {levels.data ? (
        <div className="control-log">
          <span className="badge state-claimed">{levels.data.loggers.ROOT.effectiveLevel}</span>
          <span>on the replica that answers; others keep theirs.</span>
          <Button onClick={() => setOpen(true)}>Change</Button>
        </div>
      ) : levels.error ? (
        <Problem error={levels.error} retry={() => void levels.refetch()} />
      ) : (
        <Loading label="Reading the log level" />
      )}
      {isOpen && levels.data && <LevelDialog levels={levels.data.levels} onClose={() => setOpen(false)} />}
    </section>
  );
}

function LevelDialog({ levels, onClose }: { levels: readonly string[]; onClose: () => void }) {
  const [level, setLevel] = useState("DEBUG");
  const name = level || RESTORE;
  const check = async (): Promise<Effect> => {
    const now = (await levelsNow()).loggers.ROOT.effectiveLevel;
    return {
      summary: `The level changes from ${now} to ${name} until the next change or restart.`,
      refused: now === level ? `The level is ${now} already.` : undefined,
    };
  };
  const run = async (): Promise<Effect> => {
    await request("POST", `${PATH}/ROOT`, { body: { configuredLevel: level || null } });
    const now = (await levelsNow()).loggers.ROOT.effectiveLevel;
    return { summary: `The log level is ${now}.` };
  };
  return (
    <ActionDialog
      title="Change the log level"
      needsReason={false}
      inputs={level}
      fields={
        <label className="field">
          <span>Level</span>
          <span className="select control-select">
            <select value={level} onChange={(event) => setLevel(event.target.value)}>
              {levels.map((one) => (
                <option key={one}>{one}</option>
              ))}
              <option value="">Back to {RESTORE}</option>
            </select>
            <Icon name="down" />
          </span>
        </label>
      }
      confirm={() => `Set ${name}`}
      dryRun={check}
      run={run}
      onClose={onClose}
    >
      <p>It holds for the replica that answers this console. The audit log keeps the change.</p>
    </ActionDialog>
  );
}
