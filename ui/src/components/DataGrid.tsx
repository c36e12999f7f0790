import { ArrowDown, ArrowUp } from "lucide-react";
import { type KeyboardEvent, memo, type ReactNode, useId, useImperativeHandle, useRef, useState } from "react";
import { usePreferences } from "@/theme/preferences";
import { useFixedRows } from "./fixedRows";

export interface Column<T> {
  id: string;
  header: string;
  /** A CSS grid track, for example `120px` or `minmax(160px, 1fr)`. */
  width: string;
  cell: (row: T) => ReactNode;
  align?: "left" | "right";
  /** The server can order by it. */
  sortable?: boolean;
}

export interface Sort {
  column: string;
  descending: boolean;
}

export interface GridHandle {
  focus(): void;
  scrollToTop(): void;
}

interface DataGridProps<T> {
  label: string;
  rows: readonly T[];
  rowKey: (row: T) => string;
  columns: Column<T>[];
  /** Rows in all with the header, where more exist than are loaded; -1: unknown. */
  totalRows?: number;
  onOpen?: (row: T) => void;
  /** The row whose details are shown. */
  openKey?: string | null;
  selected?: ReadonlySet<string>;
  onSelect?: (keys: Set<string>) => void;
  /** What Mod+C copies. */
  copyText?: (row: T) => string;
  /** Somebody went to another row by the keyboard. */
  onMove?: (row: T) => void;
  sort?: Sort | null;
  onSort?: (sort: Sort) => void;
  /** A class for the row, such as an edge bar. */
  rowClass?: (row: T) => string;
  /** The end of the loaded rows is near. */
  onNearEnd?: () => void;
  /** Told while the reader is away from the top, and when back. */
  onScrolled?: (away: boolean) => void;
  /** Shown instead of rows where there are none. */
  empty?: ReactNode;
  /** Below the last row. */
  footer?: ReactNode;
  ref?: React.Ref<GridHandle>;
}

/**
 * One grid for all long lists: only the visible rows exist, all of them are in the accessibility tree's count, and the
 * keyboard does everything: arrows or j and k, Home, End, PgUp, PgDn, Enter, Space, Mod+C. Nothing scrolls by itself.
 * A row is drawn again when it is another object, or `columns` are.
 */
export function DataGrid<T>(props: DataGridProps<T>) {
  const { label, rows, rowKey, columns, onOpen, openKey, selected, onSelect, copyText, sort, onSort } = props;
  const { density } = usePreferences();
  const scroller = useRef<HTMLDivElement>(null);
  // The row is held by its key: rows may come above it while somebody reads.
  const [activeKey, setActiveKey] = useState<string | null>(null);
  const [focused, setFocused] = useState(false);
  const found = activeKey === null ? -1 : rows.findIndex((row) => rowKey(row) === activeKey);
  const active = found < 0 ? 0 : found;
  const visible = useFixedRows(scroller, rows.length, density);
  const id = useId();
  useImperativeHandle(props.ref, () => ({
    focus: () => scroller.current?.focus(),
    scrollToTop: () => scroller.current?.scrollTo({ top: 0 }),
  }));

  const template = columns.map((column) => column.width).join(" ");
  // Header and rows get the same least width, so that their columns meet where the grid scrolls sideways.
  const least = columns.reduce((sum, { width }) => sum + Number(/(\d+)px/.exec(width)?.[1] ?? 0), 16);
  const page = () => Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / density) - 1);
  const go = (index: number) => {
    const row = rows[Math.min(Math.max(index, 0), rows.length - 1)];
    if (row === undefined) return;
    setActiveKey(rowKey(row));
    visible.reveal(rows.indexOf(row));
    props.onMove?.(row);
    // With the details open, moving shows the next row's.
    if (openKey != null && onOpen) onOpen(row);
  };
  const select = (row: T) => {
    if (!onSelect) return;
    const next = new Set(selected);
    if (!next.delete(rowKey(row))) next.add(rowKey(row));
    onSelect(next);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return;
    const row = rows[active];
    if ((event.ctrlKey || event.metaKey) && event.key === "c" && row !== undefined && copyText) {
      if (!window.getSelection()?.toString()) void navigator.clipboard.writeText(copyText(row)).catch(() => {});
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const acts: Record<string, () => void> = {
      ArrowDown: () => go(found < 0 ? 0 : active + 1),
      j: () => go(found < 0 ? 0 : active + 1),
      ArrowUp: () => go(active - 1),
      k: () => go(active - 1),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      PageDown: () => go(active + page()),
      PageUp: () => go(active - page()),
      Enter: () => row !== undefined && onOpen?.(row),
      " ": () => row !== undefined && select(row),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
  const onScroll = () => {
    const box = scroller.current;
    if (!box) return;
    visible.onScroll();
    props.onScrolled?.(box.scrollTop > 4);
    if (box.scrollHeight - box.scrollTop - box.clientHeight < density * 20) props.onNearEnd?.();
  };

  return (
    <div
      ref={scroller}
      role="grid"
      aria-label={label}
      aria-rowcount={props.totalRows ?? rows.length + 1}
      aria-colcount={columns.length}
      aria-multiselectable={onSelect ? true : undefined}
      aria-activedescendant={focused && rows.length > 0 ? `${id}-${rowKey(rows[active] as T)}` : undefined}
      tabIndex={0}
      className="relative min-h-0 flex-1 overflow-auto bg-surface outline-offset-[-2px] [overflow-anchor:none]"
      onKeyDown={onKeyDown}
      onScroll={onScroll}
      onFocus={() => setFocused(true)}
      onBlur={() => setFocused(false)}
    >
      <div role="rowgroup" className="sticky top-0 z-10 bg-surface-2" style={{ minWidth: least }}>
        <div
          role="row"
          aria-rowindex={1}
          className="grid h-8 items-center px-2"
          style={{ gridTemplateColumns: template }}
        >
          {columns.map((column, index) => (
            <Header key={column.id} column={column} index={index} sort={sort ?? null} onSort={onSort} />
          ))}
        </div>
      </div>
      {rows.length === 0 ? (
        <Beside columns={columns.length}>{props.empty}</Beside>
      ) : (
        <div role="rowgroup" className="relative" style={{ height: rows.length * density, minWidth: least }}>
          {rows.slice(visible.from, visible.to).map((row, offset) => {
            const index = visible.from + offset;
            const key = rowKey(row);
            const look = [
              "absolute left-0 right-0 grid items-center border-0 border-b border-solid border-hairline px-2",
              onOpen ? "cursor-default" : "",
              key === openKey || selected?.has(key) ? "bg-accent-selected" : "hover:bg-surface-2",
              focused && index === active && found >= 0 ? "outline-2 -outline-offset-2 outline-accent-text" : "",
              props.rowClass?.(row) ?? "",
            ];
            return (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the grid handles the keys of all rows
              <div
                key={key}
                id={`${id}-${key}`}
                role="row"
                aria-rowindex={index + 2}
                aria-selected={key === openKey || (selected?.has(key) ?? false)}
                className={look.join(" ")}
                style={{
                  gridTemplateColumns: template,
                  height: density,
                  transform: `translateY(${index * density}px)`,
                }}
                onClick={() => {
                  setActiveKey(key);
                  onOpen?.(row);
                }}
              >
                <Cells row={row} columns={columns as Column<unknown>[]} />
              </div>
            );
          })}
        </div>
      )}
      <Beside columns={columns.length}>{props.footer}</Beside>
    </div>
  );
}

/** What is no row of the list: in a grid it has to be one all the same. */
function Beside({ columns, children }: { columns: number; children: ReactNode }) {
  if (!children) return null;
  return (
    <div role="rowgroup">
      <div role="row">
        <div role="gridcell" aria-colspan={columns} className="sticky left-0">
          {children}
        </div>
      </div>
    </div>
  );
}

/** Drawn anew only with another row or other columns: while rows come above it, a row only moves. */
const Cells = memo(function Cells({ row, columns }: { row: unknown; columns: Column<unknown>[] }) {
  return columns.map((column, index) => (
    <div
      key={column.id}
      role="gridcell"
      aria-colindex={index + 1}
      className={`min-w-0 truncate px-2 ${column.align === "right" ? "text-right tabular-nums" : ""}`}
    >
      {column.cell(row)}
    </div>
  ));
});

function Header<T>({
  column,
  index,
  sort,
  onSort,
}: {
  column: Column<T>;
  index: number;
  sort: Sort | null;
  onSort?: (sort: Sort) => void;
}) {
  const sorted = sort?.column === column.id ? sort : null;
  const Arrow = sorted?.descending ? ArrowDown : ArrowUp;
  const side = column.align === "right" ? "justify-end" : "";
  return (
    <div
      role="columnheader"
      aria-colindex={index + 1}
      aria-sort={sorted ? (sorted.descending ? "descending" : "ascending") : undefined}
      className={`flex min-w-0 items-center px-2 text-label font-medium text-text-2 ${side}`}
    >
      {column.sortable && onSort ? (
        <button
          type="button"
          className="inline-flex h-6 items-center gap-1 border-0 bg-transparent p-0 font-medium text-text-2 hover:text-text-1"
          onClick={() => onSort({ column: column.id, descending: sorted ? !sorted.descending : false })}
        >
          {column.header}
          {sorted && <Arrow size={12} aria-hidden />}
        </button>
      ) : (
        <span className="truncate">{column.header}</span>
      )}
    </div>
  );
}
