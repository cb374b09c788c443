/** The filters of a list. Their values are the search of the URL. */

import { type ReactNode, useEffect, useId, useMemo, useRef, useState } from "react";
import { useCommands } from "../app/commands";
import type { Search, SearchChanges } from "../app/location";
import { Button } from "./button";
import { Icon } from "./icons";
import { MomentInput } from "./moment-input";
import { useIsNarrow } from "./use-is-narrow";
import { isUtc } from "./values";

export type FilterField =
  | { name: string; label: string; kind: "text" | "number"; placeholder?: string; width?: "s" | "m" }
  | {
      name: string;
      label: string;
      kind: "choice";
      options: readonly (readonly [value: string, label: string])[];
    }
  /** Several values at once, each with how many there are. */
  | { name: string; label: string; kind: "states"; options: readonly { value: string; count?: string }[] }
  /** Names of two parameters: from and to. */
  | { name: string; label: string; kind: "period"; from: string; to: string };

interface FilterBarProps {
  fields: readonly FilterField[];
  search: Search;
  onChange: (changes: SearchChanges, options?: { replace?: boolean }) => void;
  /** At the end of the bar, such as exports. */
  children?: ReactNode;
}

export function FilterBar({ fields, search, onChange, children }: FilterBarProps) {
  const isNarrow = useIsNarrow();
  const [isOpen, setOpen] = useState(false);
  const bar = useRef<HTMLElement>(null);
  const names = fields.flatMap((one) => (one.kind === "period" ? [one.from, one.to] : [one.name]));
  const used = names.filter((name) => search[name]).length;
  useCommands(
    useMemo(
      () => [
        {
          id: "filter",
          title: "Filter this list",
          icon: "filter" as const,
          hotkey: "/",
          run: () => {
            setOpen(true);
            requestAnimationFrame(() => bar.current?.querySelector<HTMLElement>("input, select")?.focus());
          },
        },
      ],
      [],
    ),
  );
  return (
    <search className="filter-bar" ref={bar} aria-label="Filters">
      {isNarrow && (
        <Button icon="filter" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          Filters{used > 0 && ` (${used})`}
        </Button>
      )}
      {(!isNarrow || isOpen) &&
        fields.map((field) => <Field key={field.name} field={field} search={search} onChange={onChange} />)}
      {used > 0 && (
        <Button
          kind="ghost"
          icon="close"
          onClick={() => onChange(Object.fromEntries(names.map((name) => [name, undefined])))}
        >
          Clear
        </Button>
      )}
      {children && <div className="filter-end">{children}</div>}
    </search>
  );
}

interface FieldProps {
  field: FilterField;
  search: Search;
  onChange: FilterBarProps["onChange"];
}

function Field({ field, search, onChange }: FieldProps) {
  switch (field.kind) {
    case "states":
      return <States field={field} value={search[field.name] ?? ""} onChange={onChange} />;
    case "choice":
      return (
        <label className="filter">
          <span>{field.label}</span>
          <span className="select">
            <select
              value={search[field.name] ?? ""}
              onChange={(event) => onChange({ [field.name]: event.target.value })}
            >
              {field.options.map(([value, label]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
            <Icon name="down" />
          </span>
        </label>
      );
    case "period":
      return <Period field={field} search={search} onChange={onChange} />;
    default:
      return (
        <TextFilter key={field.name} field={field} value={search[field.name] ?? ""} onChange={onChange} />
      );
  }
}

const TYPED_MS = 350;

interface TextFilterProps {
  field: Extract<FilterField, { kind: "text" | "number" }>;
  value: string;
  onChange: FilterBarProps["onChange"];
}

/** Takes effect when typing pauses; the history gets one entry. */
function TextFilter({ field, value, onChange }: TextFilterProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(
      () => onChange({ [field.name]: text.trim() }, { replace: value !== "" }),
      TYPED_MS,
    );
    return () => clearTimeout(timer);
  }, [text, value, field.name, onChange]);
  return (
    <label className={`filter filter-${field.width ?? "s"}`}>
      <span>{field.label}</span>
      <input
        inputMode={field.kind === "number" ? "numeric" : undefined}
        placeholder={field.placeholder ?? "any"}
        spellCheck={false}
        autoComplete="off"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") onChange({ [field.name]: text.trim() });
        }}
      />
    </label>
  );
}

interface StatesProps {
  field: Extract<FilterField, { kind: "states" }>;
  value: string;
  onChange: FilterBarProps["onChange"];
}

function States({ field, value, onChange }: StatesProps) {
  const chosen = value.split(",").filter(Boolean);
  const toggle = (one: string) => {
    const next = chosen.includes(one) ? chosen.filter((other) => other !== one) : [...chosen, one];
    onChange({ [field.name]: next.join(",") });
  };
  return (
    <fieldset className="states" aria-label={field.label}>
      {field.options.map((option) => (
        <button
          key={option.value}
          type="button"
          className={`state-pill state-${option.value}`}
          aria-pressed={chosen.includes(option.value)}
          onClick={() => toggle(option.value)}
        >
          <span className="state-name">{option.value}</span>
          {option.count !== undefined && <span className="state-count figure">{option.count}</span>}
        </button>
      ))}
    </fieldset>
  );
}

const PERIODS: readonly (readonly [string, string, number])[] = [
  ["15m", "Last 15 minutes", 15],
  ["1h", "Last hour", 60],
  ["today", "Today", 0],
  ["24h", "Last 24 hours", 1_440],
  ["7d", "Last 7 days", 10_080],
];

const wholeMinutes = (ms: number) => Math.floor(ms / 60_000) * 60_000;

/** When today began, in the zone that times are shown in. */
function midnight(): Date {
  const now = new Date();
  if (isUtc.get()) now.setUTCHours(0, 0, 0, 0);
  else now.setHours(0, 0, 0, 0);
  return now;
}

interface PeriodProps {
  field: Extract<FilterField, { kind: "period" }>;
  search: Search;
  onChange: FilterBarProps["onChange"];
}

/** From and to, as moments in the URL: what was mailed shows the same rows later. */
function Period({ field, search, onChange }: PeriodProps) {
  const { from, to } = field;
  const isSet = Boolean(search[from] || search[to]);
  const [isCustom, setCustom] = useState(isSet);
  const id = useId();
  const choose = (value: string) => {
    const minutes = PERIODS.find(([name]) => name === value)?.[2];
    setCustom(value === "custom");
    if (minutes !== undefined) {
      const since = minutes === 0 ? midnight() : new Date(wholeMinutes(Date.now()) - minutes * 60_000);
      onChange({ [from]: since.toISOString(), [to]: undefined });
      setCustom(true);
    } else if (value === "") onChange({ [from]: undefined, [to]: undefined });
  };
  return (
    <div className="filter">
      <label htmlFor={id}>{field.label}</label>
      <span className="select">
        <select
          id={id}
          value={isSet || isCustom ? "custom" : ""}
          onChange={(event) => choose(event.target.value)}
        >
          <option value="">Any time</option>
          {PERIODS.map(([name, label]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
          <option value="custom">From … to …</option>
        </select>
        <Icon name="down" />
      </span>
      {(isSet || isCustom) &&
        [from, to].map((name, index) => (
          <span key={name} className="filter-moment">
            <span aria-hidden="true">{index === 0 ? "from" : "to"}</span>
            <MomentInput
              label={`${field.label}: ${index === 0 ? "from" : "to"}`}
              value={search[name]}
              onChange={(moment) => onChange({ [name]: moment }, { replace: true })}
            />
          </span>
        ))}
    </div>
  );
}
