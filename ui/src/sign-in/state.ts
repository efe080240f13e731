/** Signing in and out. */

import { signal } from "@preact/signals";
import { SignedOutError } from "../api/errors";
import { forget } from "../api/registry";
import { Session, session } from "../api/session";
import type { Credentials } from "../api/tokens";
import { navigate } from "../routes";
import { hasBegun, rememberEntra, returnPath, SIGNED_IN, wasByEntra } from "./kept";
import { type EntraSettings, loadSettings, type Settings } from "./settings";

export type Phase = "starting" | "signed-out" | "signed-in" | "unreachable";

export const phase = signal<Phase>("starting");
export const settings = signal<Settings | null>(null);
/** Why the last attempt did not succeed. */
export const problem = signal("");

/** What the page does first. */
export async function start(): Promise<void> {
  phase.value = "starting";
  try {
    settings.value = await loadSettings();
  } catch {
    phase.value = "unreachable";
    return;
  }
  await firstSignIn(settings.value);
}

async function firstSignIn(found: Settings): Promise<void> {
  const isBack = location.pathname === SIGNED_IN;
  const fragment = location.hash.slice(1);
  if (isBack) {
    // The code is of no use to whoever reads the address later, and not to be read either.
    navigate(returnPath(), true);
  }
  if (found.entra && isBack && hasBegun()) {
    await finishEntra(found, found.entra, fragment);
  } else if (found.entra && wasByEntra()) {
    await beginEntra(true);
  } else if (found.anonymous) {
    await browseWithoutSignIn();
  } else {
    phase.value = "signed-out";
  }
}

async function open(credentials: Credentials): Promise<void> {
  const current = settings.value;
  if (!current) {
    return;
  }
  const next = new Session(credentials, current.service);
  await next.open();
  if (session.value?.person !== next.person) {
    forget();
  }
  session.value = next;
  problem.value = "";
  phase.value = "signed-in";
}

export async function signIn(username: string, password: string): Promise<void> {
  problem.value = "";
  try {
    await open({ kind: "password", username, password });
    rememberEntra(false);
  } catch (error) {
    problem.value =
      error instanceof SignedOutError
        ? "The user name or the password is wrong."
        : messageOf(error);
  }
}

export async function browseWithoutSignIn(): Promise<void> {
  try {
    await open({ kind: "anonymous" });
  } catch (error) {
    problem.value = error instanceof SignedOutError ? "" : messageOf(error);
    phase.value = "signed-out";
  }
}

/** Leaves the page for Entra ID; comes back to the view of now. */
export async function beginEntra(isSilent = false): Promise<void> {
  const entra = settings.value?.entra;
  if (!entra) {
    return;
  }
  problem.value = "";
  try {
    const { begin } = await import("./entra");
    await begin(entra, location.pathname + location.search, isSilent);
  } catch (error) {
    rememberEntra(false);
    problem.value = `Entra ID cannot be reached: ${messageOf(error)}`;
    phase.value = "signed-out";
  }
}

async function finishEntra(found: Settings, entra: EntraSettings, fragment: string): Promise<void> {
  try {
    const { finish } = await import("./entra");
    const { name, refreshToken } = await finish(entra, found.service, fragment);
    await open({ kind: "entra", name, refreshToken });
    rememberEntra(true);
  } catch (error) {
    rememberEntra(false);
    if (!(error instanceof Error && error.name === "InteractionNeeded")) {
      problem.value = messageOf(error);
      phase.value = "signed-out";
    } else if (found.anonymous) {
      await browseWithoutSignIn();
    } else {
      phase.value = "signed-out";
    }
  }
}

export function signOut(): void {
  session.value = null;
  forget();
  rememberEntra(false);
  problem.value = "";
  phase.value = "signed-out";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
