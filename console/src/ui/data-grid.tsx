/** A table of any number of rows, of which only the visible ones are in the document. Works by keyboard. */

import { useVirtualizer } from "@tanstack/react-virtual";
import {
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useState,
} from "react";
import { isTyping, useCommands } from "../app/commands";
import { Button } from "./button";
import { type Column, fittingColumns } from "./columns";
import { Dialog } from "./dialog";
import { Icon } from "./icons";
import { MomentInput } from "./moment-input";
import { type LoadedRows, PAGE_ROWS, type RowSource, useRows } from "./pages-of-rows";
import { firstRows, MOST_SELECTED, selectedText, selectText } from "./selection";
import { Empty, Loading, messageOf, Problem } from "./states";
import { useToast } from "./toast";
import { useIsNarrow } from "./use-is-narrow";

export type { Column };

interface DataGridProps<Row> {
  /** Read out. */
  label: string;
  columns: readonly Column<Row>[];
  source: RowSource<Row>;
  rowId: (row: Row) => string;
  onOpen?: (row: Row) => void;
  /** The row whose details are open. */
  openId?: string;
  /** As in the URL: `-id`. */
  sort?: string;
  onSort?: (sort: string) => void;
  selected?: ReadonlySet<string>;
  onSelect?: (row: Row) => void;
  /** Selects these rows instead of all others: those that are loaded, the first of the list, or none. */
  onSelectAll?: (rows: readonly Row[]) => void;
  /** Two lines of text in each row, four on a narrow screen. */
  isTall?: boolean;
  /** Where the list begins instead, given an id or a time. */
  onJump?: (to: { id: string } | { time: string }) => void;
  empty: ReactNode;
}

const SIDES_PX = 32;
const WIDE_PX = 32;
const NARROW_PX = 44;
const TALL_PX = 46;
const TALL_NARROW_PX = 80;

/** Another list, or another filter, is another grid: it begins at its top. */
export function DataGrid<Row>(props: DataGridProps<Row>) {
  return <GridOfList key={JSON.stringify(props.source.key)} {...props} />;
}

function GridOfList<Row>(props: DataGridProps<Row>) {
  const { columns, source, rowId, onOpen, openId, selected, onSelect } = props;
  const isNarrow = useIsNarrow();
  const [wide, narrow] = props.isTall ? [TALL_PX, TALL_NARROW_PX] : [WIDE_PX, NARROW_PX];
  const rowPx = isNarrow ? narrow : wide;
  const [element, setElement] = useState<HTMLDivElement | null>(null);
  const gridId = useId();
  const [range, setRange] = useState({ first: 0, last: 40 });
  const [base, setBase] = useState(0);
  const [active, setActive] = useState(0);
  const [isJumping, setJumping] = useState(false);
  const [widthPx, setWidthPx] = useState(Number.POSITIVE_INFINITY);
  const rows = useRows(source, range.first, range.last);
  const most = Math.floor(maxHeightPx() / rowPx);
  const start = base < rows.count ? base : 0;
  const count = Math.min(rows.count - start, most);
  const virtualizer = useVirtualizer({
    count,
    getScrollElement: () => element,
    estimateSize: () => rowPx,
    overscan: 8,
    scrollPaddingStart: WIDE_PX,
  });
  const items = virtualizer.getVirtualItems();
  const seen = virtualizer.range;
  const first = start + (items[0]?.index ?? 0);
  const last = start + (items.at(-1)?.index ?? 0);
  useEffect(() => setRange({ first, last }), [first, last]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another height of rows moves all of them
  useEffect(() => virtualizer.measure(), [rowPx]);
  useLayoutEffect(() => {
    if (element === null) return;
    setWidthPx(element.clientWidth);
    const resized = new ResizeObserver(() => setWidthPx(element.clientWidth));
    resized.observe(element);
    return () => resized.disconnect();
  }, [element]);
  const show = (index: number) => {
    const to = Math.max(0, Math.min(rows.count - 1, index));
    setActive(to);
    if (to < start || to >= start + count) {
      setBase(Math.max(0, Math.min(rows.count - most, to - (to % PAGE_ROWS) - Math.floor(most / 2))));
      requestAnimationFrame(() => virtualizer.scrollToOffset(0));
    } else virtualizer.scrollToIndex(to - start);
    return to;
  };
  useCommands(
    useMemo(
      () => [
        {
          id: "jump",
          title: "Go to a row, an id or a time in this list",
          icon: "jump" as const,
          hotkey: "j",
          run: () => setJumping(true),
        },
      ],
      [],
    ),
  );
  const shown = fittingColumns(columns, widthPx - SIDES_PX - (onSelect ? 36 : 0), isNarrow);
  const template = [
    onSelect ? "36px" : "",
    ...shown.map((one) => (isNarrow ? (one.narrowWidth ?? one.width) : one.width)),
  ].join(" ");
  const onKeyDown = (event: KeyboardEvent) => {
    if (isTyping(event.target)) return;
    const page = Math.max(1, Math.floor((element?.clientHeight ?? 0) / rowPx) - 2);
    const step: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: rows.count - 1,
    };
    const row = rows.row(active);
    if (step[event.key] !== undefined) {
      event.preventDefault();
      const next = rows.row(show(step[event.key] ?? 0));
      // Details follow the row.
      if (openId && next && onOpen) onOpen(next);
    } else if (event.key === "Enter" && row && onOpen && event.target === event.currentTarget) {
      event.preventDefault();
      onOpen(row);
    } else if (event.key === " " && row && onSelect && event.target === event.currentTarget) {
      event.preventDefault();
      onSelect(row);
    }
  };
  if (rows.isLoading) return <Loading label={`Loading ${props.label.toLowerCase()}`} />;
  if (rows.error && count === 0) return <Problem error={rows.error} retry={rows.retry} />;
  if (count === 0) return <>{props.empty ?? <Empty title="Nothing here" />}</>;
  return (
    <div className="grid-frame">
      <div
        className={`grid ${props.isTall ? "grid-tall" : ""}`}
        ref={setElement}
        role="grid"
        aria-label={props.label}
        aria-rowcount={rows.total ?? -1}
        aria-colcount={shown.length}
        aria-activedescendant={`${gridId}-${active}`}
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        <div role="rowgroup" className="grid-head">
          <div role="row" className="grid-row" aria-rowindex={1} style={{ gridTemplateColumns: template }}>
            {onSelect && (
              <div role="columnheader" className="grid-cell">
                <SelectAll
                  rows={loadedRows(rows)}
                  rowId={rowId}
                  selected={selected}
                  onSelectAll={props.onSelectAll}
                />
              </div>
            )}
            {shown.map((column) => (
              <HeaderCell key={column.id} column={column} sort={props.sort} onSort={props.onSort} />
            ))}
          </div>
        </div>
        <div role="rowgroup" className="grid-body" style={{ height: virtualizer.getTotalSize() }}>
          {items.map((item) => {
            const index = start + item.index;
            const row = rows.row(index);
            const id = row === undefined ? null : rowId(row);
            const isOpen = id !== null && id === openId;
            return (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the grid has the keys
              <div
                key={item.key}
                id={`${gridId}-${index}`}
                role="row"
                aria-rowindex={index + 2}
                aria-selected={onSelect ? id !== null && selected?.has(id) : isOpen}
                className={`grid-row ${index === active ? "is-active" : ""} ${isOpen ? "is-open" : ""}`}
                style={{
                  gridTemplateColumns: template,
                  transform: `translateY(${item.start}px)`,
                  height: rowPx,
                }}
                onClick={() => {
                  if (row === undefined || getSelection()?.toString()) return;
                  setActive(index);
                  onOpen?.(row);
                }}
              >
                {onSelect && (
                  <div role="gridcell" className="grid-cell">
                    <input
                      type="checkbox"
                      tabIndex={-1}
                      aria-label="Select the row"
                      checked={id !== null && (selected?.has(id) ?? false)}
                      disabled={row === undefined}
                      onChange={() => row !== undefined && onSelect(row)}
                      onClick={(event) => event.stopPropagation()}
                    />
                  </div>
                )}
                {shown.map((column) => (
                  <div key={column.id} role="gridcell" className={`grid-cell ${column.align ?? ""}`}>
                    {row === undefined ? <span className="skeleton" /> : column.cell(row)}
                  </div>
                ))}
              </div>
            );
          })}
        </div>
      </div>
      <footer className="grid-foot">
        <span className="figure">
          {(start + (seen?.startIndex ?? 0) + 1).toLocaleString("en")}–
          {Math.min(start + (seen?.endIndex ?? 0) + 1, rows.count).toLocaleString("en")} of{" "}
          {totalText(rows.total, rows.isEstimate)}
        </span>
        {selected !== undefined && selected.size > 0 && props.onSelectAll && (
          <Selected count={selected.size} total={rows.total} source={source} onSelect={props.onSelectAll} />
        )}
        {rows.error && <span className="text-danger">Not refreshed: {rows.error.message}</span>}
        <Button kind="ghost" icon="jump" hint="j" onClick={() => setJumping(true)}>
          {props.onJump ? "Go to row, id or time …" : "Go to row …"}
        </Button>
      </footer>
      {isJumping && (
        <Jump
          total={rows.count}
          onClose={() => setJumping(false)}
          onRow={(row) => show(row - 1)}
          onJump={props.onJump}
        />
      )}
    </div>
  );
}

function loadedRows<Row>(rows: LoadedRows<Row>): readonly Row[] {
  const loaded: Row[] = [];
  for (let index = 0; index < Math.min(rows.count, MOST_SELECTED); index += 1) {
    const row = rows.row(index);
    if (row !== undefined) loaded.push(row);
  }
  return loaded;
}

interface SelectedProps<Row> {
  count: number;
  total: number | null;
  source: RowSource<Row>;
  onSelect: (rows: readonly Row[]) => void;
}

/** How many rows of the list are selected, and a button for all that may be selected at once. */
function Selected<Row>({ count, total, source, onSelect }: SelectedProps<Row>) {
  const toast = useToast();
  const [isReading, setReading] = useState(false);
  const most = Math.min(total ?? MOST_SELECTED, MOST_SELECTED);
  const selectFirst = async () => {
    setReading(true);
    try {
      onSelect(await firstRows(source, MOST_SELECTED));
    } catch (error) {
      toast(`Not selected: ${messageOf(error)}`, "bad");
    } finally {
      setReading(false);
    }
  };
  return (
    <span className="grid-selected" role="status">
      <strong className="figure">{selectedText(count, total)}</strong>
      {count < most && (
        <Button kind="ghost" disabled={isReading} onClick={() => void selectFirst()}>
          {isReading ? "Selecting …" : selectText(total)}
        </Button>
      )}
      <Button kind="ghost" onClick={() => onSelect([])}>
        Select none
      </Button>
    </span>
  );
}

interface SelectAllProps<Row> {
  rows: readonly Row[];
  rowId: (row: Row) => string;
  selected?: ReadonlySet<string>;
  onSelectAll?: (rows: readonly Row[]) => void;
}

function SelectAll<Row>({ rows, rowId, selected, onSelectAll }: SelectAllProps<Row>) {
  const isAll = rows.length > 0 && rows.every((row) => selected?.has(rowId(row)));
  const isSome = !isAll && (selected?.size ?? 0) > 0;
  if (onSelectAll === undefined) return <span className="hidden">Selected</span>;
  return (
    <input
      type="checkbox"
      aria-label="Select the rows that are loaded"
      title="Select the rows that are loaded"
      checked={isAll}
      ref={(element) => {
        if (element) element.indeterminate = isSome;
      }}
      onChange={() => onSelectAll(isAll ? [] : rows)}
    />
  );
}

export function totalText(total: number | null, isEstimate: boolean): string {
  if (total === null) return "more";
  return `${isEstimate ? "about " : ""}${total.toLocaleString("en")}`;
}

interface HeaderCellProps<Row> {
  column: Column<Row>;
  sort?: string;
  onSort?: (sort: string) => void;
}

function HeaderCell<Row>({ column, sort = "", onSort }: HeaderCellProps<Row>) {
  const { sort: by, align = "", header } = column;
  const direction =
    by === undefined ? null : sort === by ? "ascending" : sort === `-${by}` ? "descending" : null;
  return (
    <div role="columnheader" className={`grid-cell ${align}`} aria-sort={direction ?? undefined}>
      {by !== undefined && onSort ? (
        <button
          type="button"
          className="sort"
          onClick={() => onSort(direction === "descending" ? by : `-${by}`)}
        >
          {header}
          {direction && <Icon name={direction === "ascending" ? "up" : "down"} />}
        </button>
      ) : (
        header
      )}
    </div>
  );
}

interface JumpProps {
  total: number;
  onClose: () => void;
  onRow: (row: number) => void;
  onJump?: DataGridProps<never>["onJump"];
}

function Jump({ total, onClose, onRow, onJump }: JumpProps) {
  const [row, setRow] = useState("");
  const [id, setId] = useState("");
  const [time, setTime] = useState<string>();
  return (
    <Dialog title="Go to" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onClose();
          if (row) onRow(Number(row));
          else if (id) onJump?.({ id });
          else if (time) onJump?.({ time });
        }}
      >
        <label className="field">
          <span>Row, 1 to {total.toLocaleString("en")}</span>
          <input
            type="number"
            min={1}
            max={total}
            value={row}
            onChange={(event) => setRow(event.target.value)}
            autoFocus
          />
        </label>
        {onJump && (
          <>
            <label className="field">
              <span>Id</span>
              <input
                inputMode="numeric"
                pattern="[0-9]{1,10}"
                value={id}
                onChange={(event) => setId(event.target.value)}
              />
            </label>
            <div className="field">
              <span aria-hidden="true">Time</span>
              <MomentInput label="Time" value={time} onChange={setTime} />
            </div>
          </>
        )}
        <footer className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" disabled={!row && !id && !time}>
            Go
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

let highest = 0;

/** The greatest height that this browser lays out: 33 million pixels in Chromium, 17 million in Firefox. */
function maxHeightPx(): number {
  if (highest === 0) {
    const probe = document.createElement("div");
    probe.style.cssText = "position:absolute;visibility:hidden;width:1px;height:33000000px";
    document.body.append(probe);
    highest = Math.max(1_000_000, Math.min(33_000_000, probe.getBoundingClientRect().height));
    probe.remove();
  }
  return highest;
}
