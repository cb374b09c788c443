/** Arithmetic on decimals without floats. */

import type { Decimal } from "../api/contract";

const PLACES = 8;

/** In units of 10^-8, the smallest that the service stores; null for what is no plain decimal. */
export function unitsOf(value: Decimal | null | undefined): bigint | null {
  const match = /^([+-]?)(\d+)(?:\.(\d{1,8})0*)?$/.exec(String(value ?? "").trim());
  if (!match) return null;
  const [, sign, whole = "", fraction = ""] = match;
  const units = BigInt(whole + fraction.padEnd(PLACES, "0"));
  return sign === "-" ? -units : units;
}

export function decimalOf(units: bigint): string {
  const digits = (units < 0n ? -units : units).toString().padStart(PLACES + 1, "0");
  const fraction = digits.slice(-PLACES).replace(/0+$/, "");
  return `${units < 0n ? "-" : ""}${digits.slice(0, -PLACES)}${fraction && `.${fraction}`}`;
}

/** What is left of `whole` without `part`; null where one is no plain decimal. */
export function minus(whole: Decimal, part: Decimal): string | null {
  const [a, b] = [unitsOf(whole), unitsOf(part)];
  return a === null || b === null ? null : decimalOf(a - b);
}

/** Percent of `whole`, for bars. */
export function percentOf(part: Decimal, whole: Decimal): number {
  const [a, b] = [unitsOf(part), unitsOf(whole)];
  return a === null || b === null || b === 0n ? 0 : Number((a * 1000n) / b) / 10;
}
