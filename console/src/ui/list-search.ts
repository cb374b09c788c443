/** How lists are sorted and jumped in, by the search of the URL. */

import type { Search } from "../app/location";

/** The newest first; in a period by its time, which has an index. */
export function sortOf(search: Search, byTime: string): string {
  return search.sort ?? (search.from || search.to ? `-${byTime}` : "-id");
}

/** Where a list begins instead: the changes of the search that lead to an id or a time. */
export function jumpTo(
  to: { id: string } | { time: string },
  sort: string,
  byTime: string,
): Record<string, string | undefined> {
  const isUp = sort !== "" && !sort.startsWith("-");
  if ("id" in to) {
    return {
      open: to.id,
      maxId: isUp ? undefined : to.id,
      minId: isUp ? to.id : undefined,
      sort: isUp ? "id" : "-id",
    };
  }
  return isUp ? { from: to.time, sort: byTime } : { to: to.time, sort: `-${byTime}` };
}
