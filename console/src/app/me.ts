/** Who is signed in, and what they may do. */

import { useQuery } from "@tanstack/react-query";
import { createContext, useContext } from "react";
import { api, ConnectionLost, read } from "../api/client";
import type { Me, Role } from "../api/contract";

export const MeContext = createContext<Me | null>(null);

export function useMeQuery(key: string | null) {
  return useQuery({
    queryKey: ["me", key],
    queryFn: ({ signal }) => read(api.GET("/api/v2/me", { signal })),
    staleTime: 60_000,
    refetchInterval: (query) => (query.state.error instanceof ConnectionLost ? 2_000 : 60_000),
  });
}

export function useMe(): Me {
  const me = useContext(MeContext);
  if (me === null) throw new Error("only pages know who is signed in");
  return me;
}

/** Whether the caller has a role. What one may not do is not shown. */
export function useMay(role: Role): boolean {
  return useMe().roles.includes(role);
}
