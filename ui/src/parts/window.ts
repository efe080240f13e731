/** Which rows of a long list are drawn. */

export interface Range {
  first: number;
  /** The one after the last. */
  end: number;
}

/** Rows above and below those in view, so that scrolling shows no gap. */
const AROUND = 4;

export function rowsInView(
  scrolled: number,
  height: number,
  rowHeight: number,
  count: number,
): Range {
  const first = Math.floor(scrolled / rowHeight) - AROUND;
  const end = Math.ceil((scrolled + height) / rowHeight) + AROUND;
  return { first: Math.max(0, Math.min(first, count)), end: Math.max(0, Math.min(end, count)) };
}

/** Where to scroll to so that a row is wholly in view; the nearest place. */
export function scrollToShow(
  row: number,
  scrolled: number,
  height: number,
  rowHeight: number,
): number {
  const top = row * rowHeight;
  if (top < scrolled) {
    return top;
  }
  const bottom = top + rowHeight;
  return bottom > scrolled + height ? bottom - height : scrolled;
}

/** The row that a key leads to. */
export function rowAfterKey(key: string, row: number, count: number, page: number): number | null {
  const steps: Record<string, number> = {
    ArrowDown: row + 1,
    j: row + 1,
    ArrowUp: row - 1,
    k: row - 1,
    PageDown: row + page,
    PageUp: row - page,
    Home: 0,
    End: count - 1,
  };
  const wanted = Object.hasOwn(steps, key) ? steps[key] : undefined;
  return wanted === undefined ? null : Math.max(0, Math.min(wanted, count - 1));
}
