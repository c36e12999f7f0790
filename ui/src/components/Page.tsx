import { type ReactNode, useEffect } from "react";

/** A screen: its title, what can be done on it, its content. */
export function Page({
  title,
  back,
  extra,
  actions,
  fill = false,
  children,
}: {
  title: string;
  /** A link to where this screen belongs. */
  back?: ReactNode;
  /** Beside the title, such as a pill. */
  extra?: ReactNode;
  actions?: ReactNode;
  /** The content takes the height that is left, for grids. */
  fill?: boolean;
  children: ReactNode;
}) {
  useEffect(() => {
    document.title = title;
  }, [title]);
  return (
    <div className={`mx-auto flex max-w-[1440px] flex-col gap-4 p-6 ${fill ? "h-full min-h-0" : ""}`}>
      <header className="flex flex-wrap items-center gap-3">
        {back}
        <h1 className="m-0 text-page font-semibold">{title}</h1>
        {extra}
        <div className="ml-auto flex flex-wrap items-center gap-2">{actions}</div>
      </header>
      {children}
    </div>
  );
}

/** A part of a screen on a surface of its own. */
export function Section({
  title,
  actions,
  flush = false,
  fill = false,
  children,
}: {
  title?: string;
  actions?: ReactNode;
  /** The content reaches the edges, for lists. */
  flush?: boolean;
  fill?: boolean;
  children: ReactNode;
}) {
  return (
    <section
      aria-label={title}
      className={`overflow-hidden rounded-card border border-solid border-hairline bg-surface ${fill ? "flex min-h-0 flex-1 flex-col" : ""}`}
    >
      {title && (
        <div className="flex min-h-11 items-center gap-2 border-0 border-b border-solid border-hairline px-4 py-1.5">
          <h2 className="m-0 text-section font-semibold">{title}</h2>
          <div className="ml-auto flex items-center gap-2">{actions}</div>
        </div>
      )}
      <div className={`${flush ? "" : "p-4"} ${fill ? "flex min-h-0 flex-1 flex-col" : ""}`}>{children}</div>
    </section>
  );
}

/** Names with their values, one below the other. */
export function Facts({ facts }: { facts: [name: string, value: ReactNode][] }) {
  return (
    <dl className="m-0 grid grid-cols-[minmax(120px,auto)_1fr] gap-x-4 gap-y-2">
      {facts.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-text-3">{name}</dt>
          <dd className="m-0 min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** One figure with its name and what it is compared with. */
export function Figure({ name, value, hint }: { name: string; value: ReactNode; hint?: ReactNode }) {
  return (
    <div className="rounded-card border border-solid border-hairline bg-surface p-4">
      <div className="text-label text-text-3">{name}</div>
      <div className="text-figure font-semibold tabular-nums">{value}</div>
      {hint && <div className="text-label text-text-3">{hint}</div>}
    </div>
  );
}
