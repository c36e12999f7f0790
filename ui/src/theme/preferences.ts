import { useSyncExternalStore } from "react";

/** What a person set for this window's looks. Nothing of it is data. */
export interface Preferences {
  theme: "system" | "light" | "dark";
  zone: "local" | "utc";
  /** Height of a row in px. */
  density: 24 | 28 | 36;
  /** Masks names and other personal data on every screen. */
  hidePersonal: boolean;
  sidebar: "wide" | "narrow";
  schoolsAs: "cards" | "table";
}

const DEFAULTS: Preferences = {
  theme: "system",
  zone: "local",
  density: 28,
  hidePersonal: false,
  sidebar: "wide",
  schoolsAs: "cards",
};
const KEY = "rollcall.preferences";
const listeners = new Set<() => void>();
let current = read();

function read(): Preferences {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Preferences>) };
  } catch {
    return DEFAULTS; // Somebody else's text: the looks start anew.
  }
}

function tell() {
  for (const listener of listeners) listener();
}

export function setPreferences(change: Partial<Preferences>) {
  current = { ...current, ...change };
  localStorage.setItem(KEY, JSON.stringify(current));
  tell();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  // Another window of this app changed them.
  const other = (event: StorageEvent) => {
    if (event.key !== KEY) return;
    current = read();
    tell();
  };
  window.addEventListener("storage", other);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("storage", other);
  };
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(subscribe, () => current);
}
