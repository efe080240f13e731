/** The natural order of tags: 1.9 before 1.10, a candidate before its release. */

interface Version {
  numbers: number[];
  rest: string;
}

const VERSION = /^v?(\d+(?:\.\d+)*)(.*)$/i;

function parse(tag: string): Version | null {
  const [, numbers, rest = ""] = VERSION.exec(tag) ?? [];
  return numbers ? { numbers: numbers.split(".").map(Number), rest } : null;
}

/** Compares texts with the numbers in them by value. */
export function compareNatural(one: string, other: string): number {
  const left = one.match(/\d+|\D+/g) ?? [];
  const right = other.match(/\d+|\D+/g) ?? [];
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    const order = comparePart(left[at] ?? "", right[at] ?? "");
    if (order !== 0) {
      return order;
    }
  }
  return left.length - right.length || compareText(one, other);
}

function comparePart(one: string, other: string): number {
  const difference = Number(one) - Number(other);
  return Number.isNaN(difference) || difference === 0 ? compareText(one, other) : difference;
}

function compareText(one: string, other: string): number {
  if (one === other) {
    return 0;
  }
  return one < other ? -1 : 1;
}

/** Compares two tags: the earlier version first, and names that are none after all versions. */
export function compareVersions(one: string, other: string): number {
  const left = parse(one);
  const right = parse(other);
  if (!left || !right) {
    return Number(left === null) - Number(right === null) || compareNatural(one, other);
  }
  return (
    compareNumbers(left.numbers, right.numbers) ||
    compareRest(left.rest, right.rest) ||
    compareText(one, other)
  );
}

function compareNumbers(one: number[], other: number[]): number {
  for (let at = 0; at < Math.max(one.length, other.length); at += 1) {
    const difference = (one[at] ?? 0) - (other[at] ?? 0);
    if (difference !== 0) {
      return difference;
    }
  }
  return 0;
}

/** What begins with `-` comes before the release itself; all else after it. */
function compareRest(one: string, other: string): number {
  const rank = (rest: string): number => {
    if (rest === "") {
      return 1;
    }
    return rest.startsWith("-") ? 0 : 2;
  };
  return rank(one) - rank(other) || compareNatural(one, other);
}
