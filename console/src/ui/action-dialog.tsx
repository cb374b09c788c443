/** An action in three steps: the reason, the effect as a dry run found it, the evidence afterwards. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useId, useState } from "react";
import { ApiError } from "../api/client";
import type { Decimal } from "../api/contract";
import { Button } from "./button";
import { Dialog } from "./dialog";
import { messageOf } from "./states";
import { useToast } from "./toast";
import { Figure } from "./values";

export interface Effect {
  /** In words: what will happen, or what happened. */
  summary: string;
  figures?: readonly { label: string; value: Decimal | null }[];
  details?: ReactNode;
  /** Why it cannot be done; set, it takes away the button. */
  refused?: string;
}

interface ActionDialogProps {
  title: string;
  kind?: "primary" | "danger";
  /** What the action is about. */
  children?: ReactNode;
  /** Further fields. Change `inputs` with them: it makes an effect that was shown outdated. */
  fields?: ReactNode;
  inputs?: string;
  /** Whether the further fields are filled in. */
  isComplete?: boolean;
  /** The button's text once the effect is known. */
  confirm: (effect: Effect) => string;
  dryRun: (reason: string) => Promise<Effect>;
  run: (reason: string) => Promise<Effect>;
  onClose: () => void;
}

export function ActionDialog(props: ActionDialogProps) {
  const [reason, setReason] = useState("");
  const [checkedFor, setCheckedFor] = useState<string | null>(null);
  const reasonId = useId();
  const queries = useQueryClient();
  const toast = useToast();
  const inputs = JSON.stringify([reason.trim(), props.inputs]);
  const check = useMutation({
    mutationFn: () => props.dryRun(reason.trim()),
    onSuccess: () => setCheckedFor(inputs),
  });
  const run = useMutation({
    mutationFn: () => props.run(reason.trim()),
    onSuccess: (done) => {
      toast(done.summary, "good");
      void queries.invalidateQueries();
    },
  });
  const effect = checkedFor === inputs ? check.data : undefined;
  const isReady = reason.trim() !== "" && (props.isComplete ?? true);
  if (run.data) {
    return (
      <Dialog title={props.title} onClose={props.onClose}>
        <EffectView effect={run.data} heading="Done" />
        <footer className="dialog-actions">
          <Button kind="primary" onClick={props.onClose} autoFocus>
            Close
          </Button>
        </footer>
      </Dialog>
    );
  }
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!isReady) return;
          if (effect === undefined) check.mutate();
          else if (!effect.refused) run.mutate();
        }}
      >
        {props.children}
        {props.fields}
        <label className="field" htmlFor={reasonId}>
          <span>Reason (required; stored in the audit trail)</span>
          <textarea
            id={reasonId}
            rows={2}
            maxLength={1000}
            required
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
        </label>
        <div aria-live="polite">
          {effect && <EffectView effect={effect} heading="Effect" />}
          <Failure error={check.error} />
          <Failure error={run.error} />
        </div>
        <footer className="dialog-actions">
          <Button onClick={props.onClose}>Cancel</Button>
          {effect === undefined ? (
            <Button type="submit" kind="primary" disabled={!isReady || check.isPending}>
              {check.isPending ? "Checking …" : "Check the effect"}
            </Button>
          ) : (
            !effect.refused && (
              <Button type="submit" kind={props.kind ?? "primary"} disabled={run.isPending}>
                {run.isPending ? "Working …" : props.confirm(effect)}
              </Button>
            )
          )}
        </footer>
      </form>
    </Dialog>
  );
}

function EffectView({ effect, heading }: { effect: Effect; heading: string }) {
  return (
    <section className={`effect ${effect.refused ? "effect-refused" : ""}`} aria-label={heading}>
      <h3>{heading}</h3>
      <p>{effect.refused ?? effect.summary}</p>
      {effect.figures && effect.figures.length > 0 && (
        <dl className="effect-figures">
          {effect.figures.map((one) => (
            <div key={one.label}>
              <dt>{one.label}</dt>
              <dd>
                <Figure value={one.value} />
              </dd>
            </div>
          ))}
        </dl>
      )}
      {effect.details}
    </section>
  );
}

function Failure({ error }: { error: Error | null }) {
  if (error === null) return null;
  return (
    <p className="text-danger" role="alert">
      {messageOf(error)} {error instanceof ApiError && <code>{error.code}</code>}
    </p>
  );
}
