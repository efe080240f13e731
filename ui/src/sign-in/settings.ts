/** What the registry tells the page of itself, before anybody has signed in. */

import { nullable, object, optional, type Shape, text, truth } from "../api/shapes";

export interface EntraSettings {
  clientId: string;
  authority: string;
  tenant: string;
  scope: string;
}

export interface Settings {
  version: string;
  /** The host name for which tokens are asked, and which commands name. */
  service: string;
  /** Whether something can be read without signing in. */
  anonymous: boolean;
  /** Whether anything can be deleted at all. */
  deleteEnabled: boolean;
  entra: EntraSettings | null;
}

const DEFAULT_SCOPE = "https://containerregistry.azure.net/.default";

const shape: Shape<Settings> = object<Settings>({
  version: optional(text, ""),
  service: text,
  anonymous: optional(truth, false),
  deleteEnabled: optional(truth, true),
  entra: (value, at) => nullable(entra)(value ?? null, at),
});

const entra = object<EntraSettings>({
  clientId: text,
  authority: text,
  tenant: text,
  scope: optional(text, DEFAULT_SCOPE),
});

export function parseSettings(value: unknown): Settings {
  return shape(value, "settings");
}

export async function loadSettings(): Promise<Settings> {
  const answer = await fetch("/ui/_settings.json", { credentials: "omit" });
  if (!answer.ok) {
    throw new Error(`The registry answered ${answer.status}.`);
  }
  return parseSettings(await answer.json());
}
