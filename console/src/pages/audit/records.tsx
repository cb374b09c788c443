/** A list of what was recorded, with the details of the chosen row. */

import { type ReactNode, useCallback, useMemo } from "react";
import { usePageSearch } from "../../app/location";
import type { Column } from "../../ui/data-grid";
import type { FilterField } from "../../ui/filter-bar";
import { ListPage, useListQuery } from "../../ui/list-page";
import type { RowSource } from "../../ui/pages-of-rows";
import { SidePanel } from "../../ui/side-panel";
import { Loading } from "../../ui/states";
import { filled, filtersOf, type Part } from "./model";
import { useOpenRow } from "./open-row";

type Query = Record<string, string>;

interface RecordsProps<Row> {
  label: string;
  path: string;
  /** Of the list, and of the files of exports. */
  name: string;
  /** Names of the parameters that filter. */
  names: readonly string[];
  fields: readonly FilterField[];
  columns: readonly Column<Row>[];
  rowId: (row: Row) => string;
  read: (query: Query, at: { cursor?: string; limit: number }, signal: AbortSignal) => Promise<Part<Row>>;
  views: ReactNode;
  /** The heading of the details, and the details of a row. */
  heading: string;
  details: (row: Row) => ReactNode;
  empty: ReactNode;
}

export function Records<Row>({ read, names, heading, details, views, ...list }: RecordsProps<Row>) {
  const { name, rowId } = list;
  const [{ open }] = usePageSearch();
  const query = useListQuery(useCallback((search: Query) => filtersOf(search, names), [names]));
  const { row, keep } = useOpenRow<Row>(open, rowId);
  const source = useMemo<RowSource<Row>>(
    () => ({
      key: [name, query],
      hasOffset: false,
      page: async ({ cursor, limit, signal }) => {
        const page = await filled(
          (at, count) => read(query, { cursor: at, limit: count }, signal),
          cursor,
          limit,
        );
        return { ...page, total: page.nextCursor === null && cursor === null ? page.rows.length : null };
      },
    }),
    [name, query, read],
  );
  return (
    <ListPage
      {...list}
      title="Audit"
      query={query}
      source={source}
      lead={views}
      onOpen={keep}
      details={(_, close) => (
        <SidePanel label={heading} title={heading} onClose={close}>
          {row ? details(row) : <Loading label="Looking for it in the list" />}
        </SidePanel>
      )}
    />
  );
}
