/** Every colour of both consoles, light then dark. CSS variables, the antd theme and Tailwind are made from this table. */
export type Mode = "light" | "dark";
export type App = "provider" | "school";
/** What a status is drawn with: text, tint behind it, mark. */
export type Tone = "delivered" | "failed" | "retrying" | "queued" | "parked" | "paused";

type Pair = readonly [light: string, dark: string];

export const SURFACES = {
  canvas: ["#F5F6F8", "#0D1015"],
  surface: ["#FFFFFF", "#14181F"],
  "surface-2": ["#EEF1F5", "#1C222B"],
  "text-1": ["#14181F", "#E9EDF2"],
  "text-2": ["#434D5B", "#BAC4D0"],
  "text-3": ["#566171", "#98A4B3"],
  hairline: ["#DFE4EA", "#2A323D"],
  control: ["#788493", "#6F7B8B"],
} as const satisfies Record<string, Pair>;

/** One accent per app, so that two open windows are never confused. */
export const ACCENTS: Record<App, Record<"solid" | "hover" | "text" | "selected", Pair>> = {
  provider: {
    solid: ["#4338CA", "#5B50E6"],
    hover: ["#372DA8", "#5046D8"],
    text: ["#4338CA", "#AFA9FF"],
    selected: ["#ECEBFC", "#24254A"],
  },
  school: {
    solid: ["#0F766E", "#0D8076"],
    hover: ["#0B5F59", "#0B7067"],
    text: ["#0F6E67", "#5ED3C6"],
    selected: ["#E0F3F0", "#12332F"],
  },
};

export const TONES: Record<Tone, Record<"text" | "tint" | "mark", Pair>> = {
  delivered: { text: ["#11663A", "#5FD08A"], tint: ["#E3F4EA", "#12301F"], mark: ["#15803D", "#3DBB70"] },
  failed: { text: ["#B3261E", "#FF8A80"], tint: ["#FCE9E7", "#3A1714"], mark: ["#B91C1C", "#F2503F"] },
  retrying: { text: ["#8A4B00", "#F5B544"], tint: ["#FDF0D9", "#35260B"], mark: ["#C26A00", "#EBA93C"] },
  queued: { text: ["#1B5FAF", "#7DB8FF"], tint: ["#E4EFFB", "#132A45"], mark: ["#2F7FDB", "#3F8CEB"] },
  parked: { text: ["#6B2C91", "#D9A6F2"], tint: ["#F3E8F9", "#321A42"], mark: ["#5E1F86", "#DDB0F5"] },
  paused: { text: ["#4A5462", "#AEB8C4"], tint: ["#E9ECF0", "#262D37"], mark: ["#6B7685", "#8592A1"] },
};

/** All colours of one app in one mode, by the name of their CSS variable. */
export function colours(app: App, mode: Mode): Record<string, string> {
  const pick = ([light, dark]: Pair) => (mode === "light" ? light : dark);
  const named: Record<string, string> = {};
  for (const [name, pair] of Object.entries(SURFACES)) named[name] = pick(pair);
  for (const [name, pair] of Object.entries(ACCENTS[app])) named[`accent-${name}`] = pick(pair);
  for (const [tone, parts] of Object.entries(TONES)) {
    for (const [part, pair] of Object.entries(parts)) named[`${tone}-${part}`] = pick(pair);
  }
  return named;
}
