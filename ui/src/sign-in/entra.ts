/** Sign-in by Entra ID: the authorization code flow with PKCE, by a plain redirect. Loaded on the click. */

import * as oauth from "oauth4webapi";
import { exchange } from "../api/tokens";
import { fields, json, text } from "../model/loose";
import { BEGUN, SIGNED_IN } from "./kept";
import type { EntraSettings } from "./settings";

export interface SignedIn {
  name: string;
  refreshToken: string;
}

/** Entra ID would have to ask the person something, which a silent sign-in may not. */
export class InteractionNeeded extends Error {
  override name = "InteractionNeeded";
}

const SILENT_ENDS = new Set([
  "login_required",
  "interaction_required",
  "consent_required",
  "account_selection_required",
]);

function redirectAddress(): string {
  return location.origin + SIGNED_IN;
}

/** Plain http is for an issuer on this machine alone. */
function options(entra: EntraSettings): { [oauth.allowInsecureRequests]?: true } {
  const { protocol, hostname } = new URL(entra.authority);
  const isLocal = protocol === "http:" && (hostname === "localhost" || hostname === "127.0.0.1");
  return isLocal ? { [oauth.allowInsecureRequests]: true } : {};
}

async function discover(entra: EntraSettings): Promise<oauth.AuthorizationServer> {
  const issuer = new URL(`${entra.authority.replace(/\/$/, "")}/${entra.tenant}/v2.0`);
  const answer = await oauth.discoveryRequest(issuer, { algorithm: "oidc", ...options(entra) });
  return await oauth.processDiscoveryResponse(issuer, answer);
}

/** Leaves the page for Entra ID. What lies in the browser meanwhile is no token. */
export async function begin(
  entra: EntraSettings,
  returnTo: string,
  isSilent: boolean,
): Promise<void> {
  const server = await discover(entra);
  if (!server.authorization_endpoint) {
    throw new Error("Entra ID names no address to sign in at.");
  }
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = oauth.generateRandomNonce();
  sessionStorage.setItem(BEGUN, JSON.stringify({ verifier, state, nonce, returnTo, isSilent }));
  const address = new URL(server.authorization_endpoint);
  const parameters: Record<string, string> = {
    client_id: entra.clientId,
    response_type: "code",
    // Browsers send the fragment to nobody, and the Functions host takes `?code=` for a key of its own.
    response_mode: "fragment",
    redirect_uri: redirectAddress(),
    scope: `openid profile ${entra.scope}`,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    nonce,
    ...(isSilent ? { prompt: "none" } : {}),
  };
  for (const [name, value] of Object.entries(parameters)) {
    address.searchParams.set(name, value);
  }
  location.assign(address);
}

/** Takes what Entra ID has sent the browser back with, and exchanges it at the registry. */
export async function finish(
  entra: EntraSettings,
  service: string,
  fragment: string,
): Promise<SignedIn> {
  const begun = fields(json(sessionStorage.getItem(BEGUN) ?? ""));
  sessionStorage.removeItem(BEGUN);
  const server = await discover(entra);
  const client: oauth.Client = { client_id: entra.clientId };
  const parameters = validated(server, client, fragment, text(begun["state"]));
  const answer = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    parameters,
    redirectAddress(),
    text(begun["verifier"]),
    options(entra),
  );
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, {
    expectedNonce: text(begun["nonce"]),
    requireIdToken: true,
  });
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  const name = text(claims?.["preferred_username"]) || text(claims?.["name"]) || "Entra ID";
  const refreshToken = await exchange(service, tokens.access_token);
  return { name, refreshToken };
}

function validated(
  server: oauth.AuthorizationServer,
  client: oauth.Client,
  fragment: string,
  state: string,
): URLSearchParams {
  try {
    return oauth.validateAuthResponse(server, client, new URLSearchParams(fragment), state);
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError && SILENT_ENDS.has(error.error)) {
      throw new InteractionNeeded();
    }
    throw error;
  }
}
