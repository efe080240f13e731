/** Who is signed in. Each sign-in has a number, so that answers to an earlier one count for nothing. */

import { computed, signal } from "@preact/signals";
import { accessIn } from "./jwt";
import {
  ALL,
  NO_RIGHTS,
  PROBE,
  READING,
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
  readonly #onRepository = new Map<string, Promise<ReadonlySet<string>>>();

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
    const { everywhere } = this.rights;
    if (repository === null || (everywhere.has("pull") && everywhere.has("metadata_read"))) {
      return readerScope(this.rights);
    }
    return repositoryScope(repository);
  }

  /** What may be done to a repository. */
  async may(repository: string): Promise<ReadonlySet<string>> {
    const { everywhere } = this.rights;
    if (this.kind === "anonymous") {
      return READING;
    }
    if (ALL.every((action) => everywhere.has(action))) {
      return everywhere;
    }
    const known = this.#onRepository.get(repository) ?? this.#probe(repository);
    this.#onRepository.set(repository, known);
    return await known;
  }

  async #probe(repository: string): Promise<ReadonlySet<string>> {
    try {
      const token = await this.tokens.once(repositoryScope(repository, "*"));
      return new Set(accessIn(token).flatMap((each) => each.actions));
    } catch (error) {
      this.#onRepository.delete(repository);
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
