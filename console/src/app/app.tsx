/** Providers, and the gate before the pages: signed in, reachable, or neither. */

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { ApiError } from "../api/client";
import { session, useStore } from "../api/session";
import { Loading, Problem } from "../ui/states";
import { Announcer } from "../ui/toast";
import { MeContext, useMeQuery } from "./me";
import { Shell } from "./shell";
import { SignIn } from "./sign-in";

const queryClient = new QueryClient({
  defaultOptions: {
    queries: { retry: false, networkMode: "always", staleTime: 1_000, gcTime: 60_000 },
    mutations: { retry: false, networkMode: "always" },
  },
});

// Nothing that one key could read remains for the next one.
session.subscribe(() => queryClient.clear());

export function App() {
  return (
    <QueryClientProvider client={queryClient}>
      <Announcer>
        <Gate />
      </Announcer>
    </QueryClientProvider>
  );
}

function Gate() {
  const { key, refusal } = useStore(session);
  const me = useMeQuery(key);
  if (me.data) {
    return (
      <MeContext.Provider value={me.data}>
        <Shell />
      </MeContext.Provider>
    );
  }
  if (me.error instanceof ApiError && me.error.status === 401) return <SignIn refusal={refusal} />;
  if (me.error) {
    return (
      <main className="gate">
        <Problem error={me.error} retry={() => me.refetch()} />
      </main>
    );
  }
  return (
    <main className="gate">
      <Loading label="Opening the console" />
    </main>
  );
}
