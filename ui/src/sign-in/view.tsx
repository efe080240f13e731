/** What is shown to whoever has not signed in. */

import { SignInForm } from "./form";
import { phase, settings, start } from "./state";

export function SignInView() {
  if (phase.value === "unreachable") {
    return (
      <main data-view="sign-in" class="center">
        <h1 tabIndex={-1}>The registry cannot be reached</h1>
        <p>Look at your connection. Your address is kept.</p>
        <button type="button" class="primary" onClick={() => void start()}>
          Try again
        </button>
      </main>
    );
  }
  return (
    <main data-view="sign-in" class="center">
      <div class="card">
        <h1 tabIndex={-1}>Sign in</h1>
        <p class="muted">
          to <strong>{settings.value?.service ?? location.host}</strong>, as with{" "}
          <code>docker login</code>
        </p>
        <SignInForm isOptional />
      </div>
    </main>
  );
}
