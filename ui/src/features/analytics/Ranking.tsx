import { Button } from "antd";
import type { ReactNode } from "react";
import { Section } from "@/components/Page";
import { Scroller } from "@/components/Scroller";

export interface Ranked {
  key: string;
  name: string;
  value: number;
  /** One per further column. */
  more?: ReactNode[];
}

/** A chart that is a table: names with a bar, the longest first, and what can be opened from each. */
export function Ranking({
  title,
  columns,
  rows,
  format,
  verb,
  onOpen,
  empty,
  note,
}: {
  title: string;
  /** Of the name, the value, and what follows. */
  columns: string[];
  rows: Ranked[];
  format: (value: number) => string;
  verb?: string;
  onOpen?: (row: Ranked) => void;
  empty: string;
  note?: string;
}) {
  const most = Math.max(1, ...rows.map(({ value }) => value));
  return (
    <Section title={title} flush>
      {rows.length === 0 ? (
        <p className="m-0 p-4 text-text-2">{empty}</p>
      ) : (
        <Scroller label={title}>
          <table aria-label={title} className="w-full border-collapse text-left">
            <thead className="text-label text-text-2">
              <tr>
                {columns.map((column, index) => (
                  <th
                    key={column}
                    scope="col"
                    className={`px-4 py-1.5 font-medium ${index === 0 ? "" : index === 1 ? "w-1/3" : "text-right"}`}
                  >
                    {column}
                  </th>
                ))}
                {onOpen && (
                  <th scope="col">
                    <span className="sr-only">{verb}</span>
                  </th>
                )}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.key} className="border-0 border-t border-solid border-hairline">
                  <th scope="row" className="px-4 py-1.5 font-normal">
                    {row.name}
                  </th>
                  <td className="px-4 py-1.5">
                    <span className="flex items-center gap-2 tabular-nums">
                      <span className="w-14 shrink-0 text-right">{format(row.value)}</span>
                      <span aria-hidden className="h-2 flex-1">
                        <span
                          className="block h-2 rounded-[2px] bg-failed-mark"
                          style={{ width: `${Math.max(1, (row.value / most) * 100)}%` }}
                        />
                      </span>
                    </span>
                  </td>
                  {row.more?.map((cell, index) => (
                    <td key={columns[index + 2]} className="whitespace-nowrap px-4 py-1.5 text-right tabular-nums">
                      {cell}
                    </td>
                  ))}
                  {onOpen && (
                    <td className="whitespace-nowrap px-2 text-right">
                      <Button size="small" type="link" aria-label={`${verb}: ${row.name}`} onClick={() => onOpen(row)}>
                        {verb}
                      </Button>
                    </td>
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </Scroller>
      )}
      {note && <p className="m-0 px-4 py-2 text-label text-text-3">{note}</p>}
    </Section>
  );
}
