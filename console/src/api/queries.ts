/** Queries that several parts of the console share. */

import { useQuery } from "@tanstack/react-query";
import { request } from "./client";
import type { Summary } from "./contract";

/** Figures of all replicas, read again every two seconds while the tab is visible. */
export function useSummary() {
  return useQuery({
    queryKey: ["summary"],
    queryFn: ({ signal }) => request<Summary>("GET", "/api/v2/summary", { signal }),
    refetchInterval: 2_000,
  });
}
