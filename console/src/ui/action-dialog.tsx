/** An action in three steps: the reason, the effect as a dry run found it, the evidence afterwards. One that changes
 * nothing has no dry run. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { ApiError } from "../api/client";
import type { Decimal } from "../api/contract";
import { useMe } from "../app/me";
import { Button } from "./button";
import { Dialog } from "./dialog";
import { messageOf } from "./states";
import { useToast } from "./toast";
import { Figure } from "./values";

const NAME = "trade-service.operator";

export interface Effect {
  /** In words: what will happen, or what happened. */
  summary: string;
  /** An id is written without separators. */
  figures?: readonly { label: string; value: Decimal | null; isId?: boolean }[];
  details?: ReactNode;
  /** Why it cannot be done; set, it takes away the button. */
  refused?: string;
  /** What stands above the evidence of an action; by default `Done`. */
  heading?: string;
}

export interface ActionInput {
  reason: string;
  /** Who acts; empty where the service knows it from the key. */
  operator: string;
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
  /** The button's text once the effect is known, or at once without a dry run. */
  confirm: (effect: Effect | undefined) => string;
  /** null: the action changes nothing, so that there is no effect to check. */
  dryRun: ((input: ActionInput) => Promise<Effect>) | null;
  run: (input: ActionInput) => Promise<Effect>;
  /** Whether a reason is asked and kept; false where the API takes none. */
  needsReason?: boolean;
  /** How far a dry run or the action is; shown while it lasts. */
  progress?: string;
  onClose: () => void;
}

export function ActionDialog(props: ActionDialogProps) {
  const { needsReason = true, dryRun } = props;
  const { openMode } = useMe();
  const [reason, setReason] = useState("");
  const [name, setName] = useState(() => sessionStorage.getItem(NAME) ?? "");
  const [checkedFor, setCheckedFor] = useState<string | null>(null);
  const reasonId = useId();
  const queries = useQueryClient();
  const toast = useToast();
  const inputs = JSON.stringify([reason.trim(), name.trim(), props.inputs]);
  const given = { reason: reason.trim(), operator: openMode ? name.trim() : "" };
  const check = useMutation({
    mutationFn: async () => dryRun?.(given),
    onSuccess: () => setCheckedFor(inputs),
  });
  const run = useMutation({
    mutationFn: () => props.run(given),
    onSuccess: (done) => {
      toast(done.summary, "good");
      void queries.invalidateQueries();
    },
  });
  const effect = checkedFor === inputs ? check.data : undefined;
  const isSigned = !needsReason || (reason.trim() !== "" && (!openMode || name.trim() !== ""));
  const isReady = isSigned && (props.isComplete ?? true);
  const mustCheck = dryRun !== null && effect === undefined;
  const end = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a low screen the effect and its button are below the fields.
    if (effect !== undefined) end.current?.scrollIntoView?.({ block: "nearest" });
  }, [effect]);
  if (run.data) {
    return (
      <Dialog title={props.title} onClose={props.onClose}>
        <EffectView effect={run.data} heading={run.data.heading ?? "Done"} />
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
          if (mustCheck) check.mutate();
          else if (!effect?.refused) run.mutate();
        }}
      >
        {props.children}
        {props.fields}
        {needsReason && openMode && (
          <label className="field">
            <span>Your name (required: nobody signs in here)</span>
            <input
              value={name}
              maxLength={100}
              required
              onChange={(event) => {
                setName(event.target.value);
                sessionStorage.setItem(NAME, event.target.value);
              }}
            />
          </label>
        )}
        {needsReason && (
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
        )}
        <div aria-live="polite">
          {effect && <EffectView effect={effect} heading="Effect" />}
          <Failure error={check.error} />
          <Failure error={run.error} />
        </div>
        {props.progress && (check.isPending || run.isPending) && <p className="muted">{props.progress}</p>}
        <footer className="dialog-actions" ref={end}>
          <Button onClick={props.onClose}>Cancel</Button>
          {mustCheck ? (
            <Button type="submit" kind="primary" disabled={!isReady || check.isPending}>
              {check.isPending ? "Checking …" : "Check the effect"}
            </Button>
          ) : (
            !effect?.refused && (
              <Button type="submit" kind={props.kind ?? "primary"} disabled={!isReady || run.isPending}>
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
              <dd>{one.isId ? String(one.value ?? "–") : <Figure value={one.value} />}</dd>
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
