import { describe, expect, it } from "vitest";
import { rowAfterKey, rowsInView, scrollToShow } from "../../src/parts/window";

describe("rowsInView", () => {
  it("are few of many, wherever one is", () => {
    for (let top = 0; top <= 100_000 * 32; top += 31_337) {
      const { first, end } = rowsInView(top, 900, 32, 100_000);
      expect(end - first).toBeLessThan(40);
      expect(first * 32).toBeLessThanOrEqual(Math.max(0, Math.min(top, 100_000 * 32)));
      expect(Math.min(end, 100_000) * 32).toBeGreaterThanOrEqual(
        Math.min(top + 900, 100_000 * 32) - 900,
      );
    }
  });

  it("cover the whole view", () => {
    const { first, end } = rowsInView(320, 900, 32, 1000);
    expect(first * 32).toBeLessThanOrEqual(320);
    expect(end * 32).toBeGreaterThanOrEqual(320 + 900);
  });

  it("are none of nothing, and all of a few", () => {
    expect(rowsInView(0, 900, 32, 0)).toEqual({ first: 0, end: 0 });
    expect(rowsInView(5000, 900, 32, 3)).toEqual({ first: 3, end: 3 });
    expect(rowsInView(0, 900, 32, 3)).toEqual({ first: 0, end: 3 });
  });
});

it("scrolls no further than needed to show a row", () => {
  expect(scrollToShow(5, 0, 320, 32)).toBe(0);
  expect(scrollToShow(10, 0, 320, 32)).toBe(32);
  expect(scrollToShow(2, 640, 320, 32)).toBe(64);
});

it.each([
  ["j", 3, 4],
  ["k", 0, 0],
  ["ArrowDown", 9, 9],
  ["PageDown", 3, 8],
  ["Home", 7, 0],
  ["End", 0, 9],
  ["x", 3, null],
  ["constructor", 3, null],
])("by %s from row %d to %s", (key, row, next) => {
  expect(rowAfterKey(key, row, 10, 5)).toBe(next);
});
