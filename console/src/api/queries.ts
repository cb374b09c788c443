/** Queries that several parts of the console share. */

import { useQuery } from "@tanstack/react-query";
import { api, read } from "./client";

/** Figures of all replicas, read again every two seconds while the tab is visible. */
export function useSummary() {
  return useQuery({
    queryKey: ["summary"],
    queryFn: ({ signal }) => read(api.GET("/api/v2/summary", { signal })),
    refetchInterval: 2_000,
  });
}

const NONE: readonly { id: number; abbreviation: string; description: string }[] = [];

/** Where executions may be sent. */
export function useDestinations() {
  const { data } = useQuery({
    queryKey: ["destinations"],
    queryFn: ({ signal }) => read(api.GET("/api/v1/destinations", { signal })),
    staleTime: 300_000,
  });
  return data ?? NONE;
}
