/** Views that have nothing to show: not yet, not here, or not for you. */

import type { ComponentChildren } from "preact";
import { ApiError, ForbiddenError, SignedOutError } from "../api/errors";
import { session } from "../api/session";
import { visible } from "../model/text";
import { signOut } from "../sign-in/state";

export function Loading({ what }: { what: string }) {
  return (
    <p class="state" role="status">
      <span class="spinner" aria-hidden="true" /> Loading {what}…
    </p>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <div class="state">{children}</div>;
}

function adviceFor(error: unknown): string {
  if (error instanceof ForbiddenError) {
    const { person = "" } = session.value ?? {};
    return person
      ? `${visible(person)} may not do this. Ask whoever runs the registry for the right to.`
      : "This needs a sign-in.";
  }
  if (error instanceof ApiError && error.status === 404) {
    return "It may have been deleted, or moved to another name.";
  }
  if (error instanceof ApiError && error.status === 429) {
    return `Too many requests: try again in ${Math.max(1, error.retryAfter)} s.`;
  }
  return "";
}

function titleFor(error: unknown): string {
  if (error instanceof ForbiddenError) {
    return "Not allowed";
  }
  return error instanceof ApiError && error.status === 404 ? "Not found" : "That did not work";
}

/** Signing in where that may help, else trying again. */
function WayOn({ error, onRetry }: { error: unknown; onRetry: (() => void) | undefined }) {
  if (error instanceof ForbiddenError && session.value?.kind === "anonymous") {
    return (
      <button type="button" class="primary" onClick={signOut}>
        Sign in
      </button>
    );
  }
  return onRetry ? (
    <button type="button" onClick={onRetry}>
      Try again
    </button>
  ) : null;
}

/** What went wrong, in the words of the registry, and what to do. */
export function Failure({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  if (error instanceof SignedOutError) {
    return <p class="state">Sign in again to see this.</p>;
  }
  // Of what is not allowed the registry says no more than that.
  const isForbidden = error instanceof ForbiddenError;
  const message = error instanceof Error && !isForbidden ? `${visible(error.message)} ` : "";
  return (
    <div class="state failure" role="alert">
      <strong>{titleFor(error)}</strong>
      <p>
        {message}
        {adviceFor(error)}
      </p>
      {error instanceof ApiError && error.correlation ? (
        <p class="muted">
          {error.code} · <code>{visible(error.correlation)}</code>
        </p>
      ) : null}
      <WayOn error={error} onRetry={onRetry} />
    </div>
  );
}
