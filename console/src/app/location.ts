/** Where the console is: the page, and its search as plain texts, so that any view can be mailed. */

import { useCallback } from "react";
import { CONSOLE_URL } from "../api/client";
import { createStore, useStore } from "../api/session";

export type Search = Readonly<Record<string, string>>;
export type SearchChanges = Record<string, string | undefined>;

export interface Place {
  /** `/executions`: without the path that the console is served below. */
  page: string;
  search: Search;
}

export function parseSearch(text: string): Search {
  return Object.fromEntries(new URLSearchParams(text));
}

export function stringifySearch(search: SearchChanges): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) if (value) params.set(name, value);
  const text = params.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  return text === "" ? "" : `?${text}`;
}

/** A search with some of it changed; undefined and "" remove a name. */
export function changed(search: Search, changes: SearchChanges): Search {
  const kept = Object.entries({ ...search, ...changes }).filter((entry): entry is [string, string] =>
    Boolean(entry[1]),
  );
  return Object.fromEntries(kept);
}

function here(): Place {
  const { pathname, search } = window.location;
  const page = pathname.slice(CONSOLE_URL.pathname.length - 1);
  return { page: page.replace(/\/$/, "") || "/", search: parseSearch(search) };
}

const place = createStore<Place>(here());
window.addEventListener("popstate", () => place.set(here()));

export const usePlace = () => useStore(place);

export function hrefOf(page: string, search: SearchChanges = {}): string {
  return CONSOLE_URL.pathname.replace(/\/$/, "") + page + stringifySearch(search);
}

/** Goes to a page. `replace` leaves no entry in the history. */
export function navigate(
  page: string,
  search: SearchChanges = {},
  options: { replace?: boolean } = {},
): void {
  const href = hrefOf(page, search);
  if (options.replace) history.replaceState(null, "", href);
  else history.pushState(null, "", href);
  place.set(here());
}

/** The search of the page, and a function that changes some of it. */
export function usePageSearch(): [Search, (changes: SearchChanges, options?: { replace?: boolean }) => void] {
  const { search } = usePlace();
  const change = useCallback((changes: SearchChanges, options: { replace?: boolean } = {}) => {
    const now = place.get();
    navigate(now.page, changed(now.search, changes), options);
  }, []);
  return [search, change];
}
