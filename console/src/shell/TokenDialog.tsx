import { useState } from "preact/hooks";
import { ApiError, openSession } from "../api";
import { FormDialog } from "../kit/forms";
import { signedIn } from "../pages/alerts/live";

/** Asks for the token of a server that wants one; it cannot be left unanswered. */
export function TokenDialog() {
  const [token, setToken] = useState("");
  return (
    <FormDialog
      title="Access token"
      submit="Sign in"
      testId="token-dialog"
      onSubmit={async () => {
        try {
          await openSession(token.trim());
        } catch (error) {
          if (error instanceof ApiError && error.status === 401) throw new RangeError("That is not the access token.");
          throw error;
        }
        signedIn();
      }}
    >
      <p>This server asks for its access token. It is sent once and not kept on the page.</p>
      <label class="field">
        Token
        <input
          type="password"
          name="token"
          autocomplete="current-password"
          required
          autofocus
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
      </label>
    </FormDialog>
  );
}
