import { afterEach, expect, test, vi } from "vitest";
import { ApiError, ConnectionLost, fetchWithKey, request, requestOf } from "./client";
import { lostSince, session, signIn, signOut } from "./session";

const answers = (...found: (Response | Error)[]) => {
  const fetched = vi.fn(async (_: Request) => {
    const next = found.shift();
    if (next instanceof Response) return next;
    throw next ?? new TypeError("no more answers");
  });
  vi.stubGlobal("fetch", fetched);
  return fetched;
};
const refusal = () =>
  new Response('{"code":"NOT_AUTHENTICATED","message":"unknown key"}', {
    status: 401,
    headers: { "x-request-id": "r1" },
  });

afterEach(() => {
  vi.unstubAllGlobals();
  signOut();
  lostSince.set(null);
});

test("every call carries the key of the session, and no address does", async () => {
  signIn("secret");
  const fetched = answers(new Response('{"quantity":1.50}', { headers: { "x-request-id": "r1" } }));
  const found = await request<{ quantity: string }>("GET", "/api/v2/me", { query: { a: "1", b: "" } });
  expect(found.quantity).toBe("1.50");
  const sent = fetched.mock.calls[0]?.[0];
  expect(sent?.headers.get("authorization")).toBe("Bearer secret");
  expect(new URL(sent?.url ?? "").search).toBe("?a=1");
});

test("a refused key ends the session, once, and says why", async () => {
  signIn("old");
  answers(refusal(), refusal());
  const changes = vi.fn();
  const stop = session.subscribe(changes);
  const call = () => fetchWithKey(requestOf("GET", "/api/v2/me"));
  await expect(call()).rejects.toMatchObject({ status: 401, code: "NOT_AUTHENTICATED", requestId: "r1" });
  expect(session.get()).toEqual({ key: null, refusal: "unknown key" });
  expect(sessionStorage.length).toBe(0);
  await expect(call()).rejects.toBeInstanceOf(ApiError);
  expect(changes).toHaveBeenCalledTimes(1);
  stop();
});

test("without an answer, also through a proxy, the connection is lost until the next answer", async () => {
  answers(new TypeError("refused"), new Response("bad gateway", { status: 502 }), new Response("{}"));
  await expect(request("GET", "/api/v2/me")).rejects.toBeInstanceOf(ConnectionLost);
  const since = lostSince.get();
  await expect(request("GET", "/api/v2/me")).rejects.toBeInstanceOf(ConnectionLost);
  expect(lostSince.get()).toBe(since);
  await request("GET", "/api/v2/me");
  expect(lostSince.get()).toBeNull();
});
