/** A piece of a filter's text, with its UTF-16 offsets. For values, `text` is without quotes and escapes. */
export interface Piece {
  text: string;
  from: number;
  to: number;
}

/** A word as it is written: `-name:value,value`. */
export interface Word {
  from: number;
  to: number;
  excluded: boolean;
  /** `null`: there is no colon. */
  name: Piece | null;
  values: Piece[];
  openQuote: boolean;
}

/** Cuts a text into words, which end at blanks outside of quotes, and those into values. Never fails. */
export function scan(text: string): Word[] {
  const words: Word[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at] as string)) {
      at += 1;
      continue;
    }
    const to = endOfWord(text, at);
    words.push(readWord(text, at, to));
    at = to;
  }
  return words;
}

function endOfWord(text: string, from: number): number {
  let [inQuotes, escaped] = [false, false];
  for (let at = from; at < text.length; at++) {
    const c = text[at] as string;
    if (!inQuotes && /\s/.test(c)) return at;
    if (escaped) escaped = false;
    else if (c === "\\" && inQuotes) escaped = true;
    else if (c === '"') inQuotes = !inQuotes;
  }
  return text.length;
}

function readWord(text: string, from: number, to: number): Word {
  const excluded = text[from] === "-";
  const start = excluded ? from + 1 : from;
  const colon = text.slice(start, to).indexOf(":");
  if (colon < 0) return { from, to, excluded, name: null, values: [], openQuote: false };
  const name = { text: text.slice(start, start + colon), from: start, to: start + colon };
  return { from, to, excluded, name, ...readValues(text, start + colon + 1, to) };
}

/** Values end at commas and bars outside of quotes. */
function readValues(text: string, from: number, to: number): { values: Piece[]; openQuote: boolean } {
  const values: Piece[] = [];
  let [inQuotes, escaped, value, begin] = [false, false, "", from];
  for (let at = from; at < to; at++) {
    const c = text[at] as string;
    if (escaped) {
      value += c;
      escaped = false;
    } else if (c === "\\" && inQuotes) escaped = true;
    else if (c === '"') inQuotes = !inQuotes;
    else if ((c === "," || c === "|") && !inQuotes) {
      values.push({ text: value, from: begin, to: at });
      [value, begin] = ["", at + 1];
    } else value += c;
  }
  values.push({ text: value, from: begin, to });
  return { values, openQuote: inQuotes };
}
