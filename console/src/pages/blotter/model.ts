/** How a blotter is to be read, and what a refusal of the file asks for. */

import type { components } from "../../api/schema";

type Schemas = components["schemas"];
export type Checked = Schemas["BlotterCheckAnswer"];
export type Submitted = Schemas["BlotterSubmitAnswer"];
export type Reject = Schemas["BlotterReject"];

export const REQUIRED = ["order_id", "portfolio_id", "order_type", "security_id", "quantity", "destination"];
export const FIELDS = [...REQUIRED, "limit_price", "trade_timestamp", "blotter"];

export interface Choices {
  sheet?: string;
  decimal?: string;
  dates?: string;
  timeZone?: string;
  encoding?: string;
  /** Fields by column; an empty field leaves the column out. */
  map: Readonly<Record<string, string>>;
  /** One value for all rows, by field. */
  set: Readonly<Record<string, string>>;
}

export const NO_CHOICES: Choices = { map: {}, set: {} };

/** The path with the file's name and the choices as parameters. */
export function addressOf(
  path: string,
  fileName: string,
  choices: Choices,
  further: Record<string, string> = {},
): string {
  const params = new URLSearchParams({ filename: fileName, ...further });
  const { map, set, ...plain } = choices;
  for (const [name, value] of Object.entries(plain)) if (value) params.set(name, value);
  for (const [column, field] of Object.entries(map)) params.append("map", `${column}=${field}`);
  for (const [field, value] of Object.entries(set)) if (value) params.append("set", `${field}=${value}`);
  return `${path}?${params}`;
}

/** An entry of `map` or `set` changed; undefined removes it. */
export function withEntry(
  entries: Readonly<Record<string, string>>,
  name: string,
  value: string | undefined,
): Record<string, string> {
  const { [name]: _, ...others } = entries;
  return value === undefined ? others : { ...others, [name]: value };
}

/** A possible answer to what a refusal asks. */
export interface Answer {
  label: string;
  choose: (now: Choices) => Choices;
}

export interface Question {
  /** What is asked, without the parameters that answer it: those are buttons and fields here. */
  text: string;
  answers: readonly Answer[];
  /** Fields that no column has. */
  missing: readonly string[];
  /** The columns of the file that may have them. */
  columns: readonly string[];
}

/** What the details of a refused file ask for. Without a question there are no answers: the file must be corrected. */
export function questionOf(details: Refused, zone: string): Question {
  const { question, reason = "", fields = [], columns = [] } = details;
  if (question === "MISSING_FIELDS") return { text: MISSING, answers: [], missing: fields, columns };
  const text = `${reason.charAt(0).toUpperCase()}${reason.slice(1)}${/[.?!]$/.test(reason) ? "" : "."}`;
  return { text, answers: answersTo(details, zone), missing: [], columns: [] };
}

/** The details of a refusal: `BLOTTER_REFUSED`. */
export interface Refused {
  question?: string | null;
  /** Why it is refused, without what to do. */
  reason?: string;
  /** The parameter that answers the question. */
  parameter?: string;
  choices?: readonly string[];
  fields?: readonly string[];
  columns?: readonly string[];
}

const MISSING =
  "The file has no column for what is named below. Say which column has it, or give one value for all rows.";

const LABELS: Record<string, (choice: string) => string> = {
  DECIMAL_SIGN: (choice) => `Decimal ${choice}`,
  DATE_ORDER: (choice) => `The ${choice} comes first`,
};

function answersTo(details: Refused, zone: string): Answer[] {
  const { question, parameter = "", choices = [], fields = [], columns = [] } = details;
  const [field = ""] = fields;
  if (!question) return [];
  if (question === "COLUMN_OF_FIELD") {
    return columns.map((column) => ({
      label: `${column} is the ${field}`,
      choose: mapped(column, field),
    }));
  }
  if (question === "FIELD_OF_COLUMN") {
    const [column = ""] = columns;
    return [
      { label: `It is the ${field}`, choose: mapped(column, field) },
      { label: "Leave the column out", choose: mapped(column, "") },
    ];
  }
  const values = question === "TIME_ZONE" ? [...new Set([zone, "UTC"])] : choices;
  return values.map((value) => ({
    label: LABELS[question]?.(value) ?? value,
    choose: plain({ [parameter]: value }),
  }));
}

const plain =
  (chosen: Partial<Choices>) =>
  (now: Choices): Choices => ({ ...now, ...chosen });

const mapped =
  (column: string, field: string) =>
  (now: Choices): Choices => ({ ...now, map: { ...now.map, [column]: field } });

export function countText(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** In words: what sending does. */
export function effectOf(checked: Checked, isStrict: boolean): string {
  const { totals, refused, unit } = checked;
  if (isStrict && refused > 0) {
    return `Nothing is sent: ${countText(refused, unit)} ${refused === 1 ? "is" : "are"} refused.`;
  }
  const parts = [];
  if (totals.new > 0) parts.push(`${countText(totals.new, "new order")} created and sent`);
  if (totals.resumed > 0) {
    parts.push(`of ${countText(totals.resumed, "known order")} what is left is sent`);
  }
  if (totals.sentBefore > 0) parts.push(`${countText(totals.sentBefore, "order")} sent before, left alone`);
  if (refused > 0) parts.push(`${countText(refused, `refused ${unit}`)} left out`);
  return `${parts.join("; ")}.`;
}

/** The name of a file beside the blotter: `monday.csv` leads to `monday-rejects.csv`. */
export function besideName(fileName: string, what: string): string {
  return `${fileName.replace(/\.[^.]*$/, "") || "blotter"}-${what}.csv`;
}
