/** The columns of a grid, and how many of them fit. */

import type { ReactNode } from "react";

export interface Column<Row> {
  id: string;
  header: ReactNode;
  /** Of a CSS grid: `96px`, `minmax(120px, 1fr)`. Without room, columns are left out from the last on. */
  width: string;
  align?: "end";
  cell: (row: Row) => ReactNode;
  /** Whether it is shown on a narrow screen, too; `narrowWidth` there. */
  narrow?: boolean;
  narrowWidth?: string;
  /** The name to sort by. */
  sort?: string;
}

/** The least pixels of a width; 0 where it names none. */
export function leastPx(width: string): number {
  return Number(/(\d+(?:\.\d+)?)px/.exec(width)?.[1] ?? 0);
}

/** The first columns that fit into so many pixels, and one at the least. */
export function fittingColumns<Row>(
  columns: readonly Column<Row>[],
  widthPx: number,
  isNarrow: boolean,
): Column<Row>[] {
  if (isNarrow) return columns.filter((one) => one.narrow);
  let left = widthPx;
  const found: Column<Row>[] = [];
  for (const column of columns) {
    left -= leastPx(column.width);
    if (left < 0 && found.length > 0) break;
    found.push(column);
  }
  return found;
}
