/** Scrolling, choosing a row, and keys of a list of rows of one height. */

import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { navigate } from "../routes";
import { useKeys } from "./keys";
import { type Range, rowAfterKey, rowsInView, scrollToShow } from "./window";

export const ROW_HEIGHT = 32;

const FIRST: Range = { first: 0, end: 40 };
/** Where each list was scrolled to, for whoever comes back to it. */
const places = new Map<string, { top: number; active: number }>();

interface Options<Row> {
  label: string;
  rows: Row[];
  hrefOf?: ((row: Row) => string | null) | undefined;
  keys?: Record<string, (row: Row) => void> | undefined;
  onRange?: ((range: Range, rows: Row[]) => void) | undefined;
}

export interface Grid {
  scroller: RefObject<HTMLDivElement | null>;
  range: Range;
  /** The row that the keyboard is at. */
  chosen: number;
  setActive: (row: number) => void;
  measure: () => void;
  /** Does what a key is for; whether it is for anything. */
  act: (event: KeyboardEvent) => boolean;
}

export function useGrid<Row>({ label, rows, hrefOf, keys = {}, onRange }: Options<Row>): Grid {
  const place = `${location.pathname}${location.search} ${label}`;
  const scroller = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState<Range>(FIRST);
  const [active, setActive] = useState(() => places.get(place)?.active ?? 0);
  const isFocusing = useRef(false);
  const chosen = Math.min(active, Math.max(0, rows.length - 1));

  const measure = (): void => {
    const box = scroller.current;
    if (box) {
      places.set(place, { top: box.scrollTop, active: chosen });
      const found = rowsInView(box.scrollTop, box.clientHeight, ROW_HEIGHT, rows.length);
      setRange((before) => (isSame(before, found) ? before : found));
    }
  };
  const measuring = useRef(measure);
  measuring.current = measure;

  useLayoutEffect(() => {
    const box = scroller.current;
    if (!box) {
      return undefined;
    }
    box.scrollTop = places.get(place)?.top ?? 0;
    const observer = new ResizeObserver(() => measuring.current());
    observer.observe(box);
    return () => observer.disconnect();
  }, [place]);
  useLayoutEffect(() => measuring.current(), [rows.length]);
  useEffect(() => onRange?.(range, rows.slice(range.first, range.end)), [range, rows]);
  useEffect(() => {
    if (isFocusing.current) {
      isFocusing.current = false;
      focusRow(scroller.current);
    }
  }, [chosen, range]);

  const choose = (row: number): void => {
    const box = scroller.current;
    if (box) {
      const height = box.clientHeight - (box.firstElementChild?.clientHeight ?? 0);
      box.scrollTop = scrollToShow(row, box.scrollTop, height, ROW_HEIGHT);
      isFocusing.current = true;
      setActive(row);
      measure();
      places.set(place, { top: box.scrollTop, active: row });
      focusRow(box, row);
    }
  };

  const act = (event: KeyboardEvent): boolean => {
    const page = Math.floor((scroller.current?.clientHeight ?? 0) / ROW_HEIGHT) - 2;
    const next = rowAfterKey(event.key, chosen, rows.length, page);
    if (next === null || rows.length === 0) {
      return actOn(rows[chosen], event.key, keys, hrefOf);
    }
    // The first press of a letter goes to the row that is chosen already.
    const isAway = event.key.length === 1 && !scroller.current?.contains(document.activeElement);
    choose(isAway ? chosen : next);
    return true;
  };
  const everywhere = ["j", "k", ...Object.keys(keys).filter((key) => key.length === 1)];
  useKeys(Object.fromEntries(everywhere.map((key) => [key, act])));

  return { scroller, range, chosen, setActive, measure, act };
}

function isSame(one: Range, other: Range): boolean {
  return one.first === other.first && one.end === other.end;
}

/** The row that has been chosen, or that of a number if it is drawn already. */
function focusRow(box: HTMLElement | null, row?: number): void {
  const which = row === undefined ? '[tabindex="0"]' : `[aria-rowindex="${row + 2}"]`;
  box?.querySelector<HTMLElement>(`[role="row"]${which}`)?.focus({ preventScroll: true });
}

function actOn<Row>(
  row: Row | undefined,
  key: string,
  keys: Record<string, (row: Row) => void>,
  hrefOf: ((row: Row) => string | null) | undefined,
): boolean {
  if (row === undefined) {
    return false;
  }
  const does = Object.hasOwn(keys, key) ? keys[key] : undefined;
  const address = key === "Enter" ? hrefOf?.(row) : null;
  if (does) {
    does(row);
  } else if (address) {
    navigate(address);
  }
  return Boolean(does ?? address);
}
