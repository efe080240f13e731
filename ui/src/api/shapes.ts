/** Answers are checked, field by field, before the page relies on them. */

/** An answer is not as the registry's documentation says. */
export class ShapeError extends Error {
  override name = "ShapeError";
}

/** Reads a value from what JSON said; `at` says where it stands, for the error. */
export type Shape<T> = (value: unknown, at: string) => T;

function fail(at: string, wanted: string): never {
  throw new ShapeError(`The registry's answer is not as expected: ${at} is not ${wanted}.`);
}

export const text: Shape<string> = (value, at) =>
  typeof value === "string" ? value : fail(at, "a text");

export const figure: Shape<number> = (value, at) =>
  typeof value === "number" ? value : fail(at, "a number");

export const truth: Shape<boolean> = (value, at) =>
  typeof value === "boolean" ? value : fail(at, "true or false");

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return (value, at) => (value === null ? null : shape(value, at));
}

/** Where the field is missing, or null, it is `otherwise`. */
export function optional<T>(shape: Shape<T>, otherwise: T): Shape<T> {
  return (value, at) => (value === undefined || value === null ? otherwise : shape(value, at));
}

/** A list; ACR writes an empty one as null. */
export function listOf<T>(shape: Shape<T>): Shape<T[]> {
  return (value, at) => {
    if (value === null || value === undefined) {
      return [];
    }
    return Array.isArray(value)
      ? value.map((each, index) => shape(each, `${at}[${index}]`))
      : fail(at, "a list");
  };
}

export function object<T extends object>(shapes: { [Name in keyof T]: Shape<T[Name]> }): Shape<T> {
  return (value, at) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return fail(at, "an object");
    }
    const names = Object.keys(shapes) as (keyof T & string)[];
    const found = names.map((name) => [
      name,
      shapes[name]((value as Record<string, unknown>)[name], `${at}.${name}`),
    ]);
    return Object.fromEntries(found) as T;
  };
}
