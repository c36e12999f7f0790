import { useState } from "react";

/** A choice about this window's looks that outlives it. Never data. */
export function useKept<T>(name: string, otherwise: T, isRight: (value: unknown) => value is T) {
  const key = `rollcall.log.${name}`;
  const [value, setValue] = useState<T>(() => {
    try {
      const kept: unknown = JSON.parse(localStorage.getItem(key) ?? "null");
      return isRight(kept) ? kept : otherwise;
    } catch {
      return otherwise; // Somebody else's text.
    }
  });
  const keep = (next: T) => {
    setValue(next);
    localStorage.setItem(key, JSON.stringify(next));
  };
  return [value, keep] as const;
}
