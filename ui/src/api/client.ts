/** Requests to the registry: with a token, at most six at a time, of the sign-in of now alone. */

import {
  type ApiError,
  errorOf,
  ForbiddenError,
  isAbort,
  OutdatedError,
  SignedOutError,
  UnreachableError,
} from "./errors";
import { Queue } from "./queue";
import { end, type Session, session } from "./session";

const queue = new Queue(6);
/** A registry that is busy is asked once more, if it wants no longer a pause than this. */
const LONGEST_PAUSE = 3;

export interface Ask {
  /** The scope of the token that is needed. */
  scope: string;
  method?: "GET" | "HEAD" | "POST" | "PATCH" | "DELETE";
  headers?: Record<string, string>;
  /** Sent as JSON. */
  body?: unknown;
  signal?: AbortSignal | undefined;
  /** Whether others go first. */
  isLater?: boolean;
  /** Whether the token is thrown away afterwards. */
  isOnce?: boolean;
}

export function currentSession(): Session {
  const current = session.value;
  if (!current) {
    throw new SignedOutError();
  }
  return current;
}

/** The answer, which is a success. Throws `ApiError` and the others of errors.ts. */
export async function request(path: string, ask: Ask): Promise<Response> {
  const mine = currentSession();
  try {
    return await queue.run(() => attempt(mine, path, ask), ask.signal, ask.isLater);
  } catch (error) {
    if (mine !== session.value) {
      throw new OutdatedError();
    }
    if (error instanceof SignedOutError) {
      end(mine);
    }
    throw error;
  }
}

async function attempt(mine: Session, path: string, ask: Ask): Promise<Response> {
  let answer = await authorized(mine, path, ask);
  if (answer.status === 401 && !isInsufficient(answer)) {
    answer = await authorized(mine, path, ask);
    if (answer.status === 401 && !isInsufficient(answer)) {
      throw new SignedOutError();
    }
  }
  const error = answer.ok ? null : await errorOf(answer);
  if (error && mayRepeat(ask, error)) {
    await pause(error.retryAfter, ask.signal);
    answer = await authorized(mine, path, ask);
    if (answer.ok) {
      return answer;
    }
    throw await errorOf(answer);
  }
  if (error) {
    throw error;
  }
  return answer;
}

async function authorized(mine: Session, path: string, ask: Ask): Promise<Response> {
  const token = ask.isOnce ? await mine.tokens.once(ask.scope) : await mine.tokens.get(ask.scope);
  const answer = await send(path, ask, token);
  if (answer.status === 401 && !isInsufficient(answer)) {
    mine.tokens.drop(ask.scope, token);
  }
  return answer;
}

async function send(path: string, ask: Ask, token: string): Promise<Response> {
  const headers: Record<string, string> = { ...ask.headers, Authorization: `Bearer ${token}` };
  const options: RequestInit = {
    method: ask.method ?? "GET",
    headers,
    credentials: "omit",
    cache: "no-store",
  };
  if (ask.body !== undefined) {
    headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(ask.body);
  }
  if (ask.signal) {
    options.signal = ask.signal;
  }
  try {
    return await fetch(path, options);
  } catch (error) {
    throw isAbort(error) ? error : new UnreachableError();
  }
}

/** The token is good, but not for this. */
function isInsufficient(answer: Response): boolean {
  return (answer.headers.get("www-authenticate") ?? "").includes("insufficient_scope");
}

function mayRepeat(ask: Ask, error: ApiError): boolean {
  const isRead = ask.method === undefined || ask.method === "GET" || ask.method === "HEAD";
  const isBusy = error.status === 429 || error.status === 503;
  return isRead && isBusy && error.retryAfter > 0 && error.retryAfter <= LONGEST_PAUSE;
}

function pause(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

export interface Page<T> {
  entries: T[];
  /** The address of the next page; empty after the last. */
  next: string;
}

const NEXT = /^<(\/[^/>][^>]*)>;\s*rel="next"$/;

/** The address that `Link` names, which is of this registry. */
export function nextOf(answer: Response): string {
  return NEXT.exec(answer.headers.get("link") ?? "")?.[1] ?? "";
}

export { ForbiddenError };
