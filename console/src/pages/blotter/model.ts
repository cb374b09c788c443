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
  /** The columns of the file, as far as the refusal names them. */
  columns: readonly string[];
}

/** What the message of a refused file asks for. Without a known question there are no answers: the message stands. */
export function questionOf(message: string, zone: string): Question {
  const missing = /it has no column ([a-z_, ]+): a row must name/.exec(message)?.[1]?.split(", ") ?? [];
  const answers = answersTo(message, zone);
  return {
    text: textOf(message, answers.length > 0, missing),
    answers,
    missing,
    columns: columnsIn(message),
  };
}

function textOf(message: string, isAnswered: boolean, missing: readonly string[]): string {
  if (missing.length > 0) {
    return "The file has no column for what is named below. Say which column has it, or give one value for all rows.";
  }
  const rule = message.replace(/^blotter: /, "");
  const text = isAnswered ? rule.replace(ANSWERS, "") : rule;
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.?!]$/.test(text) ? "" : "."}`;
}

const ANSWERS = /: (?:say (?:which|so|what)|choose one with|confirm it with|name their zone)\b.*$/s;

function columnsIn(message: string): string[] {
  const shown = /; it reads (['"])(.*)\1$/s.exec(message)?.[2];
  if (shown === undefined) return [];
  const names = shown.split(", ");
  // A long list is cut in the middle of a name.
  return (shown.endsWith("…") ? names.slice(0, -1) : names).filter(Boolean);
}

function answersTo(message: string, zone: string): Answer[] {
  const sheets = /choose one with sheet \((.*)\)$/s.exec(message)?.[1];
  if (sheets) return sheets.split(", ").map((sheet) => ({ label: sheet, choose: plain({ sheet }) }));
  if (/with decimal (point|comma)/.test(message)) {
    const both = /decimal point or/.test(message) ? ["point", "comma"] : ["comma"];
    return both.map((decimal) => ({ label: `Decimal ${decimal}`, choose: plain({ decimal }) }));
  }
  if (/with dates (day|month)/.test(message)) {
    return [
      { label: "The day comes first", choose: plain({ dates: "day" }) },
      { label: "The month comes first", choose: plain({ dates: "month" }) },
    ];
  }
  if (/with timeZone\b/.test(message)) {
    return [...new Set([zone, "UTC"])].map((timeZone) => ({ label: timeZone, choose: plain({ timeZone }) }));
  }
  const either = /its columns '(.*)' and '(.*)' could be ([a-z_]+): choose one/s.exec(message);
  if (either) {
    const [, first = "", second = "", field = ""] = either;
    return [first, second].map((column) => ({
      label: `${column} is the ${field}`,
      choose: mapped(column, field),
    }));
  }
  const doubtful = /say (?:which|so) with map '(.*)=([a-z_]+)' or, to leave it out,/s.exec(message);
  if (doubtful) {
    const [, column = "", field = ""] = doubtful;
    return [
      { label: `It is the ${field}`, choose: mapped(column, field) },
      { label: "Leave the column out", choose: mapped(column, "") },
    ];
  }
  return [];
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
