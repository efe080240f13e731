/** The ways to sign in. */

import { useEffect, useRef, useState } from "preact/hooks";
import { beginEntra, browseWithoutSignIn, problem, settings, signIn } from "./state";

interface Props {
  /** Whose sign-in has ended, so that only the password has to be typed. */
  username?: string;
  /** Whether one may go on without. */
  isOptional?: boolean;
}

export function SignInForm({ username = "", isOptional = false }: Props) {
  const [isBusy, setBusy] = useState(false);
  const first = useRef<HTMLInputElement>(null);
  const second = useRef<HTMLInputElement>(null);
  useEffect(() => (username ? second : first).current?.focus(), []);
  const current = settings.value;

  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    await signIn(first.current?.value.trim() ?? "", second.current?.value ?? "");
    setBusy(false);
    second.current?.select();
  };
  return (
    <form class="sign-in" onSubmit={(event) => void submit(event)}>
      <label>
        User name
        <input
          ref={first}
          name="username"
          autocomplete="username"
          autocapitalize="none"
          spellcheck={false}
          required
          defaultValue={username}
        />
      </label>
      <label>
        Password
        <input
          ref={second}
          name="password"
          type="password"
          autocomplete="current-password"
          required
        />
      </label>
      <button type="submit" class="primary" disabled={isBusy}>
        {isBusy ? "Signing in…" : "Sign in"}
      </button>
      {current?.entra ? (
        <button type="button" onClick={() => void beginEntra()}>
          Sign in with Entra ID
        </button>
      ) : null}
      {isOptional && current?.anonymous ? (
        <button type="button" onClick={() => void browseWithoutSignIn()}>
          Browse without signing in
        </button>
      ) : null}
      <p class="problem" role="alert">
        {problem.value}
      </p>
    </form>
  );
}
