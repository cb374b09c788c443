/** A field for a moment in ISO 8601 and 24 hours: what browsers offer for it follows the language of the system. */

import { useId, useState } from "react";
import { useStore } from "../api/session";
import { isUtc, momentOf, momentText, useZone } from "./values";

interface MomentInputProps {
  /** Read out before the zone. */
  label: string;
  /** In UTC. */
  value: string | undefined;
  /** Given the moment in UTC when the field is left or with Enter; undefined where it was emptied. */
  onChange: (value: string | undefined) => void;
}

export function MomentInput({ label, value, onChange }: MomentInputProps) {
  const utc = useStore(isUtc);
  const zone = useZone();
  const known = typedText(value, utc);
  const [text, setText] = useState(known);
  const [before, setBefore] = useState(known);
  if (before !== known) {
    setBefore(known);
    setText(known);
  }
  const id = useId();
  const moment = typedMoment(text, utc);
  const isWrong = text.trim() !== "" && moment === undefined;
  const use = () => {
    if (!isWrong && text !== known) onChange(moment);
  };
  return (
    <span className="moment-input">
      <input
        aria-label={`${label}, ${zone}`}
        aria-invalid={isWrong}
        aria-describedby={isWrong ? id : undefined}
        placeholder="2026-01-31 15:30:00"
        spellCheck={false}
        autoComplete="off"
        maxLength={19}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onBlur={use}
        onKeyDown={(event) => {
          if (event.key === "Enter") use();
        }}
      />
      <span className="muted" aria-hidden="true">
        {zone}
      </span>
      {isWrong && (
        <span className="text-danger" id={id}>
          year-month-day hour:minute
        </span>
      )}
    </span>
  );
}

/** A moment as it is typed: `2026-01-31 15:30:00`. */
export function typedText(moment: string | undefined, utc: boolean): string {
  if (!moment) return "";
  const { date, time } = momentText(moment, utc);
  return time === "" ? "" : `${date} ${time.slice(0, 8)}`;
}

const TYPED = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(:\d\d)?)?$/;

/** The moment that was typed, in UTC: a date, with or without its time; undefined where it is none. */
export function typedMoment(text: string, utc: boolean): string | undefined {
  const [all, date, minutes = "00:00", seconds = ":00"] = TYPED.exec(text.trim()) ?? [];
  const moment = all === undefined ? undefined : momentOf(`${date}T${minutes}${seconds}`, utc);
  // A day that its month lacks would become one of the next month.
  return moment !== undefined && typedText(moment, utc).startsWith(date ?? "") ? moment : undefined;
}
