/** What can go wrong between the page and the registry, in words for people. */

import { fields, json, list, text } from "../model/loose";

/** The registry refused, or could not. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly status: number;
  readonly code: string;
  /** By which an operator finds the request in the logs. */
  readonly correlation: string;
  /** Seconds after which it may be tried again; 0 if the registry did not say. */
  readonly retryAfter: number;

  constructor(status: number, code: string, message: string, correlation = "", retryAfter = 0) {
    super(message);
    this.status = status;
    this.code = code;
    this.correlation = correlation;
    this.retryAfter = retryAfter;
  }
}

/** Whoever is signed in may not do this. */
export class ForbiddenError extends ApiError {
  override name = "ForbiddenError";
}

/** The sign-in has ended. */
export class SignedOutError extends Error {
  override name = "SignedOutError";
  constructor() {
    super("Your sign-in has ended.");
  }
}

/** The answer belongs to an earlier sign-in, and says nothing about this one. */
export class OutdatedError extends Error {
  override name = "OutdatedError";
}

/** The registry could not be reached. */
export class UnreachableError extends Error {
  override name = "UnreachableError";
  constructor() {
    super("The registry cannot be reached.");
  }
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** The error that an answer tells of, in the words of the registry. */
export async function errorOf(answer: Response): Promise<ApiError> {
  const body = await answer.text();
  const [first] = list(fields(json(body))["errors"]);
  const found = fields(first);
  const message = text(found["message"]) || `The registry answered ${answer.status}.`;
  const correlation = answer.headers.get("x-ms-correlation-request-id") ?? "";
  const retryAfter = Number(answer.headers.get("retry-after") ?? 0) || 0;
  const kind = answer.status === 401 || answer.status === 403 ? ForbiddenError : ApiError;
  return new kind(answer.status, text(found["code"]), message, correlation, retryAfter);
}
