/** Who is signed in. Each sign-in has a number, so that answers to an earlier one count for nothing. */

import { computed, signal } from "@preact/signals";
import { SignedOutError } from "./errors";
import { accessIn } from "./jwt";
import {
  actionsOn,
  NO_RIGHTS,
  PROBE,
  type Rights,
  readerScope,
  repositoryScope,
  rightsOf,
} from "./rights";
import { type Credentials, Tokens } from "./tokens";

export class Session {
  static #last = 0;
  readonly number: number;
  readonly person: string;
  readonly kind: Credentials["kind"];
  readonly service: string;
  readonly tokens: Tokens;
  rights: Rights = NO_RIGHTS;

  constructor(credentials: Credentials, service: string) {
    Session.#last += 1;
    this.number = Session.#last;
    this.kind = credentials.kind;
    this.person = nameOf(credentials);
    this.service = service;
    this.tokens = new Tokens(credentials, service);
  }

  /** Proves the credentials, and learns what they allow. Throws `SignedOutError` for wrong ones. */
  async open(): Promise<void> {
    this.rights = rightsOf(accessIn(await this.tokens.once(PROBE)));
  }

  /** The scope of a token that reads a repository; null: the registry's own lists. */
  readingScope(repository: string | null): string {
    const isOfAll = repository === null || this.rights.isWhole;
    return isOfAll ? readerScope(this.rights) : repositoryScope(repository);
  }

  /** What may be done to a repository; null if that has to be asked. */
  known(repository: string): ReadonlySet<string> | null {
    return this.rights.isWhole ? actionsOn(this.rights, repository) : null;
  }

  /** Asks what may be done to a repository, by a token that is thrown away. */
  async ask(repository: string): Promise<ReadonlySet<string>> {
    try {
      const token = await this.tokens.once(repositoryScope(repository, "*"));
      return new Set(accessIn(token).flatMap((each) => each.actions));
    } catch (error) {
      if (error instanceof SignedOutError) {
        end(this);
      }
      throw error;
    }
  }
}

function nameOf(credentials: Credentials): string {
  switch (credentials.kind) {
    case "anonymous":
      return "";
    case "password":
      return credentials.username;
    case "entra":
      return credentials.name;
  }
}

/** The sign-in of now; null before the first, and after signing out. */
export const session = signal<Session | null>(null);
/** The number of the sign-in that has ended while its view is still shown; 0 if none has. */
const ended = signal(0);
export const isExpired = computed(
  () => session.value !== null && ended.value === session.value.number,
);

/** A sign-in has ended by itself. One that has been replaced already signs nobody out. */
export function end(which: Session): void {
  ended.value = which.number;
}
