/** The only way to the service: one typed client, one fetch with the key, exact numbers, and errors as exceptions. */

import createClient from "openapi-fetch";
import { parseExact } from "./lossless";
import type { paths } from "./schema";
import { lostSince, session, signOut } from "./session";

/** Where the console is served, with a slash at the end: `/console/`, or below the path of a proxy. */
export const CONSOLE_URL = import.meta.env.DEV
  ? new URL("/console/", location.href)
  : new URL(/* @vite-ignore */ "../", import.meta.url);
export const SERVICE_URL = new URL("../", CONSOLE_URL);

/** An answer that is no success. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly requestId: string | null,
    readonly details: Record<string, unknown>,
  ) {
    super(message);
  }
}

/** No answer at all. */
export class ConnectionLost extends Error {
  constructor() {
    super("The service cannot be reached.");
  }
}

interface ProblemBody {
  code?: string;
  message?: string;
  details?: Record<string, unknown>;
}

async function problem(response: Response): Promise<ApiError> {
  const body = (parsed(await response.text()) ?? {}) as ProblemBody;
  return new ApiError(
    response.status,
    body.code ?? `HTTP_${response.status}`,
    body.message ?? `the service answered ${response.status}`,
    response.headers.get("x-request-id"),
    body.details ?? {},
  );
}

function parsed(text: string): unknown {
  try {
    return parseExact(text);
  } catch {
    return null;
  }
}

/** Fetches with the key of the session. Throws ConnectionLost and ApiError; 401 ends the session. */
export async function fetchWithKey(input: Request): Promise<Response> {
  const { key } = session.get();
  if (key !== null) input.headers.set("Authorization", `Bearer ${key}`);
  let response: Response;
  try {
    response = await fetch(input, { cache: "no-store", credentials: "omit", redirect: "error" });
  } catch (error) {
    if (input.signal.aborted) throw error;
    if (lostSince.get() === null) lostSince.set(new Date());
    throw new ConnectionLost();
  }
  // A proxy answers 502 to 504 where the service itself does not.
  const isGateway = response.status >= 502 && response.status <= 504 && !response.headers.has("x-request-id");
  if (isGateway) {
    if (lostSince.get() === null) lostSince.set(new Date());
    throw new ConnectionLost();
  }
  lostSince.set(null);
  if (response.ok) return response;
  const error = await problem(response);
  if (error.status === 401 && key !== null && key === session.get().key) signOut(error.message);
  throw error;
}

async function exactFetch(input: Request): Promise<Response> {
  const response = await fetchWithKey(input);
  if (!response.headers.get("content-type")?.includes("json")) return response;
  const exact = JSON.stringify(parseExact(await response.text()));
  return new Response(exact, { status: response.status, headers: response.headers });
}

/** Every operation of the OpenAPI document: `await read(api.GET("/api/v2/me"))`. */
export const api = createClient<paths>({ baseUrl: SERVICE_URL.href.replace(/\/$/, ""), fetch: exactFetch });

/** The body of a success; of lists that can also be exported, the JSON. */
export async function read<T>(answer: Promise<{ data?: T }>): Promise<Exclude<T, string>> {
  return (await answer).data as Exclude<T, string>;
}

type Query = Record<string, string | number | boolean | undefined>;

/** Fetches what the typed client cannot: a body of another type, or an address from an answer. */
export async function request<T>(
  method: string,
  path: string,
  options: { query?: Query; body?: unknown; headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<T> {
  const response = await fetchWithKey(requestOf(method, path, options));
  const text = await response.text();
  return (text === "" ? null : parseExact(text)) as T;
}

export function requestOf(
  method: string,
  path: string,
  options: { query?: Query; body?: unknown; headers?: Record<string, string>; signal?: AbortSignal } = {},
): Request {
  const url = new URL(path.replace(/^\//, ""), SERVICE_URL);
  for (const [name, value] of Object.entries(options.query ?? {})) {
    if (value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  const { body } = options;
  const isRaw = body instanceof Blob || body instanceof FormData || typeof body === "string";
  const type: Record<string, string> =
    body === undefined || isRaw ? {} : { "Content-Type": "application/json" };
  return new Request(url, {
    method,
    headers: { ...type, ...options.headers },
    body: body === undefined ? undefined : isRaw ? body : JSON.stringify(body),
    signal: options.signal,
  });
}

/** A new Idempotency-Key: the same request sent again does not act again. Pages over plain HTTP lack randomUUID. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
