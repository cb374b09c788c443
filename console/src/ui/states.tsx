/** What stands in place of content: loading, empty, an error, a lost connection. */

import type { ReactNode } from "react";
import { ApiError, ConnectionLost } from "../api/client";
import { Button } from "./button";
import { CopyButton } from "./copy";

export function Loading({ label = "Loading" }: { label?: string }) {
  return (
    <div className="state" role="status">
      <span className="spinner" aria-hidden="true" />
      <p>{label} …</p>
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="state">
      <h2>{title}</h2>
      {children && <div className="muted">{children}</div>}
    </div>
  );
}

/** An error with its code and request id, by which the service's log has the rest. */
export function Problem({ error, retry }: { error: unknown; retry?: () => void }) {
  const isLost = error instanceof ConnectionLost;
  return (
    <div className="state" role="alert">
      <h2>{isLost ? "No connection to the service" : "This did not work"}</h2>
      <p>{messageOf(error)}</p>
      {error instanceof ApiError && (
        <p className="muted">
          <code>{error.code}</code>
          {error.requestId && (
            <>
              {" · request "}
              <code>{error.requestId}</code> <CopyButton text={error.requestId} label="Copy the request id" />
            </>
          )}
        </p>
      )}
      {retry && <Button onClick={retry}>Try again</Button>}
      {isLost && <p className="muted">It is tried again every two seconds.</p>}
    </div>
  );
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
