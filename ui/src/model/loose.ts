/** Reads JSON that others wrote: what is not of the kind looked for is as if it were not there. */

export type Fields = Record<string, unknown>;

export function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : {};
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function figure(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : 0;
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

export function texts(value: unknown): string[] {
  return list(value).filter((each): each is string => typeof each === "string");
}

/** The entries of an object whose values are texts. */
export function textMap(value: unknown): Record<string, string> {
  const entries = Object.entries(fields(value)).filter(([, each]) => typeof each === "string");
  return Object.fromEntries(entries) as Record<string, string>;
}

/** What a text spells as JSON; null if it is none. */
export function json(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    return null;
  }
}
