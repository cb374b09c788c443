import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { api, read } from "../../api/client";
import type { Pause } from "../../api/contract";
import { useCommands } from "../../app/commands";
import { useMay } from "../../app/me";
import { Button } from "../../ui/button";
import { Icon } from "../../ui/icons";
import { Page } from "../../ui/page";
import { Loading, Problem } from "../../ui/states";
import { decimalText, durationText, Moment } from "../../ui/values";
import { LogLevel } from "./log-level";
import { Replicas } from "./replicas";
import { PauseDialog, ResumeDialog } from "./sending";
import "./control.css";

type Open = { pause: true } | { resume: Pause } | null;

export default function ControlPage() {
  const mayOperate = useMay("operator");
  const [open, setOpen] = useState<Open>(null);
  const pauses = useQuery({
    queryKey: ["pauses"],
    queryFn: ({ signal }) => read(api.GET("/api/v2/pauses", { signal })),
    refetchInterval: 2_000,
  });
  useCommands(
    useMemo(
      () =>
        mayOperate
          ? [
              {
                id: "pause",
                title: "Pause sending",
                icon: "pause" as const,
                hotkey: "p",
                words: "stop halt",
                run: () => setOpen({ pause: true }),
              },
            ]
          : [],
      [mayOperate],
    ),
  );
  const close = () => setOpen(null);
  return (
    <Page
      title="Control"
      actions={
        mayOperate && (
          <Button icon="pause" hint="p" onClick={() => setOpen({ pause: true })}>
            Pause sending
          </Button>
        )
      }
    >
      <section aria-labelledby="control-sending">
        <h2 id="control-sending">Sending</h2>
        {pauses.data ? (
          <Pauses
            pauses={pauses.data.pauses}
            onResume={mayOperate ? (pause) => setOpen({ resume: pause }) : undefined}
          />
        ) : pauses.error ? (
          <Problem error={pauses.error} retry={() => void pauses.refetch()} />
        ) : (
          <Loading label="Reading pauses" />
        )}
      </section>
      <Replicas />
      {mayOperate && <LogLevel />}
      {open && "pause" in open && <PauseDialog onClose={close} />}
      {open && "resume" in open && <ResumeDialog pause={open.resume} onClose={close} />}
    </Page>
  );
}

interface PausesProps {
  pauses: readonly Pause[];
  onResume?: (pause: Pause) => void;
}

function Pauses({ pauses, onResume }: PausesProps) {
  if (pauses.length === 0) {
    return (
      <p className="callout state-accepted control-pause">
        <Icon name="play" /> On, to all destinations.
      </p>
    );
  }
  return (
    <ul className="control-pauses" aria-label="Pauses in force">
      {pauses.map((pause) => {
        const target = pause.destination?.abbreviation ?? "all destinations";
        return (
          <li key={pause.id} className="callout state-unknown control-pause">
            <Icon name="pause" />
            <div className="control-pause-text">
              <strong>Paused: {target}</strong>
              <span>
                {decimalText(pause.waiting)} executions wait. “{pause.reason}”
              </span>
              <span className="control-small">
                by {pause.pausedBy || "somebody"} since <Moment at={pause.pausedAt} /> (
                {durationText(Date.now() - Date.parse(pause.pausedAt))})
              </span>
            </div>
            {onResume && (
              <Button icon="play" onClick={() => onResume(pause)}>
                Resume {target}
              </Button>
            )}
          </li>
        );
      })}
    </ul>
  );
}
