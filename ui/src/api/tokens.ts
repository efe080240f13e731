/** Access tokens for one sign-in, kept in memory alone, one for each scope. */

import { refreshToken as refreshTokenShape, token as tokenShape } from "./answers";
import { ApiError, errorOf, SignedOutError, UnreachableError } from "./errors";

export type Credentials =
  | { kind: "anonymous" }
  | { kind: "password"; username: string; password: string }
  | { kind: "entra"; name: string; refreshToken: string };

interface Held {
  token: string;
  /** In milliseconds since 1970. */
  expires: number;
}

/** A token that ends so soon is not used any more. */
const MARGIN = 30_000;

export class Tokens {
  readonly #credentials: Credentials;
  readonly #service: string;
  readonly #held = new Map<string, Held>();
  readonly #asked = new Map<string, Promise<string>>();

  constructor(credentials: Credentials, service: string) {
    this.#credentials = credentials;
    this.#service = service;
  }

  /** A token for `scope`. All who want the same wait for one answer. */
  async get(scope: string): Promise<string> {
    const held = this.#held.get(scope);
    if (held && held.expires - MARGIN > Date.now()) {
      return held.token;
    }
    const asked = this.#asked.get(scope) ?? this.#ask(scope);
    this.#asked.set(scope, asked);
    return await asked;
  }

  /** A token for once, which is not kept. */
  async once(scope: string): Promise<string> {
    return (await this.#request(scope)).token;
  }

  /** The registry refused this token: the next one is another. */
  drop(scope: string, token: string): void {
    if (this.#held.get(scope)?.token === token) {
      this.#held.delete(scope);
    }
  }

  async #ask(scope: string): Promise<string> {
    try {
      const held = await this.#request(scope);
      this.#held.set(scope, held);
      return held.token;
    } finally {
      this.#asked.delete(scope);
    }
  }

  async #request(scope: string): Promise<Held> {
    const form = { service: this.#service, scope, ...grantOf(this.#credentials) };
    const answer = await post("/oauth2/token", form);
    if (answer.status === 401) {
      throw new SignedOutError();
    }
    if (!answer.ok) {
      throw await errorOf(answer);
    }
    const found = tokenShape(await answer.json(), "token");
    return { token: found.access_token, expires: Date.now() + found.expires_in * 1000 };
  }
}

function grantOf(credentials: Credentials): Record<string, string> {
  switch (credentials.kind) {
    case "anonymous":
      return { grant_type: "password" };
    case "password":
      return {
        grant_type: "password",
        username: credentials.username,
        password: credentials.password,
      };
    case "entra":
      return { grant_type: "refresh_token", refresh_token: credentials.refreshToken };
  }
}

/** The registry's own refresh token, for an access token of Entra ID. */
export async function exchange(service: string, accessToken: string): Promise<string> {
  const answer = await post("/oauth2/exchange", {
    grant_type: "access_token",
    service,
    access_token: accessToken,
  });
  if (!answer.ok) {
    const error = await errorOf(answer);
    throw new ApiError(
      error.status,
      error.code,
      `The registry did not accept the sign-in: ${error.message}`,
      error.correlation,
    );
  }
  return refreshTokenShape(await answer.json(), "token").refresh_token;
}

async function post(path: string, form: Record<string, string>): Promise<Response> {
  try {
    return await fetch(path, {
      method: "POST",
      body: new URLSearchParams(form),
      credentials: "omit",
      cache: "no-store",
    });
  } catch {
    throw new UnreachableError();
  }
}
