/** Sending a blotter that was checked, and what became of it. */

import { useMutation } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ApiError, ConnectionLost, newKey, request, requestOf } from "../../api/client";
import { saveAnswer } from "../../api/download";
import { useSubmissionEvents } from "../../api/submission-events";
import { Link } from "../../app/router";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Loading, messageOf, Problem } from "../../ui/states";
import { SubmissionOutcomes, SubmissionProgress } from "../../ui/submission-progress";
import { useAnnounce, useToast } from "../../ui/toast";
import { Figure } from "../../ui/values";
import {
  addressOf,
  besideName,
  type Checked,
  type Choices,
  countText,
  effectOf,
  type Submitted,
} from "./model";

/** A file in memory: what is sent is what was checked, whatever happens to it on the disk. */
export interface Loaded {
  name: string;
  content: Blob;
  /** Counts the files of this visit. */
  number: number;
}

interface SendDialogProps {
  file: Loaded;
  choices: Choices;
  checked: Checked;
  onSent: (sent: Submitted) => void;
  onCheckAgain: () => void;
  onClose: () => void;
}

export function SendDialog({ file, choices, checked, onSent, onCheckAgain, onClose }: SendDialogProps) {
  const [isStrict, setStrict] = useState(false);
  const [confirmed, setConfirmed] = useState<ReadonlySet<string>>(new Set());
  // One key for all attempts: after a lost answer nothing is created again.
  const [keys] = useState(() => ({ strict: newKey(), plain: newKey() }));
  const toast = useToast();
  const { totals, doubts, refused, unit } = checked;
  const send = useMutation({
    mutationFn: () => {
      const further: Record<string, string> = { checksum: checked.checksum };
      if (isStrict) further.strict = "true";
      return request<Submitted>("POST", addressOf("/api/v2/blotters/submit", file.name, choices, further), {
        body: file.content,
        headers: {
          "Content-Type": "application/octet-stream",
          "Idempotency-Key": isStrict ? keys.strict : keys.plain,
        },
      });
    },
    onSuccess: (sent) => {
      toast(`${countText(sent.executions, "execution")} submitted`, "good");
      onSent(sent);
    },
  });
  const isReady = doubts.every((one) => confirmed.has(one)) && !(isStrict && refused > 0);
  return (
    <Dialog title="Send this blotter" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isReady && !send.isPending) send.mutate();
        }}
      >
        <p className="blotter-file">
          <strong>{file.name}</strong>
        </p>
        <section className={`effect ${isStrict && refused > 0 ? "effect-refused" : ""}`} aria-label="Effect">
          <h3>Effect</h3>
          <p aria-live="polite">{effectOf(checked, isStrict)}</p>
          <dl className="effect-figures">
            {(
              [
                ["Orders", totals.total.orders],
                ["Quantity", totals.total.quantity],
                ["Value", totals.total.value],
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
        </section>
        {doubts.length > 0 && (
          <fieldset className="blotter-doubts">
            <legend>Confirm how the file is read</legend>
            {doubts.map((one) => (
              <label key={one} className="check">
                <input
                  type="checkbox"
                  checked={confirmed.has(one)}
                  onChange={() => {
                    const next = new Set(confirmed);
                    if (!next.delete(one)) next.add(one);
                    setConfirmed(next);
                  }}
                />
                <span>{one}</span>
              </label>
            ))}
          </fieldset>
        )}
        {refused > 0 && (
          <label className="check">
            <input type="checkbox" checked={isStrict} onChange={() => setStrict(!isStrict)} />
            <span>Send nothing if a {unit} is refused</span>
          </label>
        )}
        {send.error && (
          <p className="text-danger" role="alert">
            {messageOf(send.error)}{" "}
            {send.error instanceof ConnectionLost
              ? "It may still have arrived: sending again sends nothing twice."
              : send.error instanceof ApiError && <code>{send.error.code}</code>}
          </p>
        )}
        <footer className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          {send.error instanceof ApiError && send.error.code === "BLOTTER_CHANGED" ? (
            <Button kind="primary" onClick={onCheckAgain}>
              Check again
            </Button>
          ) : (
            <Button type="submit" kind="primary" disabled={!isReady || send.isPending}>
              {send.isPending ? "Sending …" : `Send ${countText(totals.total.orders, "order")}`}
            </Button>
          )}
        </footer>
      </form>
    </Dialog>
  );
}

/** A blotter that was sent: its progress, and its files. The id in the URL is enough to show it. */
export function Sent({ id, name, sent }: { id: string; name: string; sent: Submitted | null }) {
  const followed = useSubmissionEvents(id);
  const announce = useAnnounce();
  const { progress, error, isFinished } = followed;
  useEffect(() => {
    if (isFinished) announce("All outcomes are final");
  }, [isFinished, announce]);
  if (error && !progress) return <Problem error={error} />;
  if (!progress) return <Loading />;
  const toCorrect = (sent?.refused ?? 0) + progress.failed;
  return (
    <div className="blotter-sent">
      {sent && sent.refused > 0 && (
        <p className="callout state-unknown">
          {countText(sent.refused, "row")} of {sent.rows.toLocaleString("en")}{" "}
          {sent.refused === 1 ? "was" : "were"} refused and not sent. Save them, correct them, and send that
          file.
        </p>
      )}
      <SubmissionProgress followed={followed} />
      <div className="blotter-answers">
        <SaveButton
          path={`/api/v2/blotters/${encodeURIComponent(id)}/rejects`}
          name={besideName(name, "rejects")}
          isPrimary={toCorrect > 0}
        >
          Save what was refused
        </SaveButton>
        <SaveButton
          path={`/api/v2/blotters/${encodeURIComponent(id)}/results`}
          name={besideName(name, "results")}
        >
          Save all results
        </SaveButton>
        <Link className="button" to="/submissions" search={{ open: id }}>
          Show its attempts
        </Link>
      </div>
      <section className="section" aria-label="Outcomes">
        <h2>Outcomes</h2>
        <SubmissionOutcomes id={id} followed={followed} />
      </section>
    </div>
  );
}

interface SaveButtonProps {
  path: string;
  name: string;
  isPrimary?: boolean;
  /** A file to send along: its answer is saved. */
  body?: Blob;
  children: string;
}

/** Saves an answer as a CSV file. */
export function SaveButton({ path, name, isPrimary = false, body, children }: SaveButtonProps) {
  const toast = useToast();
  const save = useMutation({
    mutationFn: () => {
      const headers: Record<string, string> = { Accept: "text/csv" };
      if (body) headers["Content-Type"] = "application/octet-stream";
      return saveAnswer(requestOf(body ? "POST" : "GET", path, { headers, body }), name);
    },
    onSuccess: () => toast(`Saved ${name}`, "good"),
    onError: (error) => toast(`Not saved: ${messageOf(error)}`, "bad"),
  });
  return (
    <Button
      icon="download"
      kind={isPrimary ? "primary" : "plain"}
      disabled={save.isPending}
      onClick={() => save.mutate()}
    >
      {children}
    </Button>
  );
}
