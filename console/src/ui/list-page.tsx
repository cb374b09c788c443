/** A page that is one list. Its filters and what is open are in the URL; exports are above it, details beside it. */

import { type ReactNode, useCallback, useMemo } from "react";
import type { Pagination } from "../api/contract";
import { parseSearch, type Search, stringifySearch, usePageSearch } from "../app/location";
import { type Column, DataGrid } from "./data-grid";
import { ExportButtons } from "./export-buttons";
import { FilterBar, type FilterField } from "./filter-bar";
import { jumpTo, sortOf } from "./list-search";
import { Page } from "./page";
import type { RowSource } from "./pages-of-rows";

interface ListPageProps<Row> {
  title: string;
  /** Of the list, read out. */
  label: string;
  /** The address of the list, and what it is asked: exports have the same rows. */
  path: string;
  query: Record<string, string | undefined>;
  /** Of the files of exports. */
  name: string;
  source: RowSource<Row>;
  columns: readonly Column<Row>[];
  fields: readonly FilterField[];
  rowId: (row: Row) => string;
  /** The name of the row's time, where the list is sorted, and jumped in, by columns and times. */
  time?: string;
  /** Above the filters. */
  lead?: ReactNode;
  onOpen?: (row: Row) => void;
  details: (open: string, close: () => void) => ReactNode;
  empty: ReactNode;
}

export function ListPage<Row>(props: ListPageProps<Row>) {
  const { source, rowId, time } = props;
  const [search, setSearch] = usePageSearch();
  const { open } = search;
  const close = useCallback(() => setSearch({ open: undefined }), [setSearch]);
  const sort = time === undefined ? undefined : sortOf(search, time);
  return (
    <Page
      title={props.title}
      isFull
      actions={<ExportButtons path={props.path} query={props.query} name={props.name} />}
      filters={
        <>
          {props.lead}
          <FilterBar fields={props.fields} search={search} onChange={setSearch} />
        </>
      }
      aside={open && props.details(open, close)}
    >
      <DataGrid
        label={props.label}
        source={source}
        columns={props.columns}
        rowId={rowId}
        openId={open}
        onOpen={(row) => {
          props.onOpen?.(row);
          setSearch({ open: rowId(row) }, { replace: open !== undefined });
        }}
        sort={sort}
        onSort={time === undefined ? undefined : (by) => setSearch({ sort: by })}
        onJump={
          time === undefined || sort === undefined ? undefined : (to) => setSearch(jumpTo(to, sort, time))
        }
        empty={props.empty}
      />
    </Page>
  );
}

/** What a list is asked by the search of the URL; the same object until that changes. */
export function useListQuery<Query>(queryOf: (search: Search) => Query): Query {
  const [{ open: _, ...filters }] = usePageSearch();
  const text = stringifySearch(filters);
  return useMemo(() => queryOf(parseSearch(text)), [text, queryOf]);
}

interface At {
  cursor?: string;
  offset?: number;
  limit: number;
}

/** The source of a list that is paged by offset or cursor, and counts its rows. */
export function pagedSource<Row>(
  key: readonly unknown[],
  read: (at: At, signal: AbortSignal) => Promise<{ rows: readonly Row[]; pagination: Pagination }>,
): RowSource<Row> {
  return {
    key,
    hasOffset: true,
    page: async ({ cursor, offset, limit, signal }) => {
      const at = cursor === null ? { offset } : { cursor };
      const { rows, pagination } = await read({ ...at, limit }, signal);
      const { nextCursor, totalElements, totalIsEstimate } = pagination;
      return { rows, nextCursor, total: totalElements, isEstimate: totalIsEstimate };
    },
  };
}
