import { useEffect, useRef } from "react";

const key = (school: string) => `rollcall.log.filter.${school}`;

/**
 * Leaves a filter for a school's log window, which is opened by the program without one. Only a filter's text: times,
 * states and causes, never a student.
 */
export function leaveLogFilter(school: string, filter: string) {
  // The time makes two equal filters two acts.
  localStorage.setItem(key(school), JSON.stringify({ filter, at: Date.now() }));
}

/** In the log window: takes what was left before it opened, and what is left while it is open. */
export function useLeftLogFilter(school: string, take: (filter: string) => void) {
  const latest = useRef(take);
  latest.current = take;
  useEffect(() => {
    const look = () => {
      const left = localStorage.getItem(key(school));
      if (left === null) return;
      localStorage.removeItem(key(school));
      try {
        const { filter } = JSON.parse(left) as { filter?: unknown };
        if (typeof filter === "string") latest.current(filter);
      } catch {
        // Somebody else's text.
      }
    };
    const onStorage = (event: StorageEvent) => {
      if (event.key === key(school) && event.newValue !== null) look();
    };
    look();
    window.addEventListener("storage", onStorage);
    return () => window.removeEventListener("storage", onStorage);
  }, [school]);
}
