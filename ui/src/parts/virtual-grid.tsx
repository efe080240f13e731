/** A grid of rows of one height, of which only those in view are in the page. */

import type { ComponentChildren } from "preact";
import { navigate } from "../routes";
import { ROW_HEIGHT, useGrid } from "./use-grid";
import type { Range } from "./window";

export interface Column<Row> {
  name: string;
  title: ComponentChildren;
  cell: (row: Row) => ComponentChildren;
  /** Set where the heading sorts. */
  sort?: "ascending" | "descending" | "none" | undefined;
}

export interface RowTraits {
  level?: number | undefined;
  isOpen?: boolean | undefined;
  isSelected?: boolean | undefined;
}

interface Props<Row> {
  label: string;
  /** The class that its columns are set out by. */
  layout: string;
  rows: Row[];
  columns: Column<Row>[];
  keyOf: (row: Row) => string;
  hrefOf?: (row: Row) => string | null;
  traitsOf?: (row: Row) => RowTraits;
  /** How many rows there are in all, if more than are loaded. */
  total?: number;
  onRange?: (range: Range, rows: Row[]) => void;
  /** Keys that act on the row that was chosen. */
  keys?: Record<string, (row: Row) => void>;
  isTree?: boolean;
}

export function VirtualGrid<Row>(props: Props<Row>) {
  const { label, rows, columns, total = 0, isTree = false } = props;
  const grid = useGrid<Row>(props);
  const { first, end } = grid.range;

  const onKeyDown = (event: KeyboardEvent): void => {
    const isOfRow = event.target instanceof Element && event.target.getAttribute("role") === "row";
    if (isOfRow && !event.ctrlKey && !event.metaKey && !event.altKey && grid.act(event)) {
      event.preventDefault();
    }
  };
  return (
    <div
      ref={grid.scroller}
      class={`grid ${props.layout}`}
      role={isTree ? "treegrid" : "grid"}
      aria-label={label}
      aria-rowcount={Math.max(total, rows.length) + 1}
      aria-colcount={columns.length}
      onScroll={grid.measure}
      onKeyDown={onKeyDown}
    >
      <div class="row head" role="row" aria-rowindex={1}>
        {columns.map((column) => (
          <div
            key={column.name}
            class={`c-${column.name}`}
            role="columnheader"
            aria-sort={column.sort}
          >
            {column.title}
          </div>
        ))}
      </div>
      <div role="rowgroup" class="body" style={{ height: `${rows.length * ROW_HEIGHT}px` }}>
        {rows.slice(first, end).map((row, at) => (
          <GridRow
            key={props.keyOf(row)}
            row={row}
            index={first + at}
            isChosen={first + at === grid.chosen}
            columns={columns}
            traits={props.traitsOf?.(row) ?? {}}
            href={props.hrefOf?.(row) ?? null}
            onFocus={grid.setActive}
          />
        ))}
      </div>
    </div>
  );
}

interface RowProps<Row> {
  row: Row;
  index: number;
  isChosen: boolean;
  columns: Column<Row>[];
  traits: RowTraits;
  href: string | null;
  onFocus: (index: number) => void;
}

function GridRow<Row>({ row, index, isChosen, columns, traits, href, onFocus }: RowProps<Row>) {
  return (
    <div
      class="row"
      role="row"
      tabIndex={isChosen ? 0 : -1}
      aria-rowindex={index + 2}
      aria-level={traits.level}
      aria-expanded={traits.isOpen}
      aria-selected={traits.isSelected}
      style={{ transform: `translateY(${index * ROW_HEIGHT}px)` }}
      onFocus={() => onFocus(index)}
      onClick={(event) => followRow(event, href)}
    >
      {columns.map((column) => (
        <div key={column.name} class={`c-${column.name}`} role="gridcell">
          {column.cell(row)}
        </div>
      ))}
    </div>
  );
}

/** A press anywhere in a row opens it, unless it was on something, or chose text. */
function followRow(event: MouseEvent, href: string | null): void {
  const isOnSomething =
    event.target instanceof Element && event.target.closest("a, button, input, label") !== null;
  const isChoosing = getSelection()?.type === "Range";
  if (href && !isOnSomething && !isChoosing && !event.ctrlKey && !event.metaKey) {
    navigate(href);
  }
}
