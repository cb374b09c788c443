import { useState } from "react";
import { signIn } from "../api/session";
import { Button } from "../ui/button";

export function SignIn({ refusal }: { refusal: string | null }) {
  const [key, setKey] = useState("");
  return (
    <main className="gate">
      <form
        className="card sign-in"
        onSubmit={(event) => {
          event.preventDefault();
          if (key.trim()) signIn(key.trim());
        }}
      >
        <h1>Trade Service</h1>
        <p className="muted">
          Sign in with an API key or a token. It is kept in this tab until you close it.
        </p>
        <label className="field">
          <span>Key or token</span>
          <input
            type="password"
            autoComplete="off"
            spellCheck={false}
            value={key}
            onChange={(event) => setKey(event.target.value)}
            aria-invalid={refusal !== null}
            aria-describedby={refusal === null ? undefined : "refusal"}
            // biome-ignore lint/a11y/noAutofocus: the only field of the page
            autoFocus
          />
        </label>
        {refusal !== null && (
          <p id="refusal" role="alert" className="text-danger">
            {refusal}
          </p>
        )}
        <Button type="submit" kind="primary" disabled={!key.trim()}>
          Sign in
        </Button>
      </form>
    </main>
  );
}
