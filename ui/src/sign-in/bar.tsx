/** The sign-in has ended: the view stays, and one signs in again above it. */

import { isExpired, session } from "../api/session";
import { SignInForm } from "./form";
import { beginEntra, signOut } from "./state";

export function ExpiredBar() {
  const current = session.value;
  if (!isExpired.value || !current) {
    return null;
  }
  return (
    <section class="expired" aria-label="Signed out">
      <p role="alert">
        <strong>Your sign-in has ended.</strong> What you see was read before that.
      </p>
      {current.kind === "entra" ? (
        <button type="button" class="primary" onClick={() => void beginEntra()}>
          Sign in again
        </button>
      ) : (
        <SignInForm username={current.person} />
      )}
      <button type="button" class="quiet" onClick={signOut}>
        Sign out
      </button>
    </section>
  );
}
