/** The bytes of a proto JSON `bytes` field. */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** As text; bytes that are no UTF-8 are shown as such. */
export const toText = (bytes: Uint8Array) => new TextDecoder("utf-8").decode(bytes);

/** 16 bytes a line: the offset, the bytes, and those that can be read. */
export function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const line = [...bytes.subarray(at, at + 16)];
    const hex = line.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const read = line.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(47)}  ${read}`);
  }
  return lines.join("\n");
}

/**
 * JSON with line breaks and indents, made from its letters: no key changes its place, no number its digits, and what
 * is no JSON stays as it is.
 */
export function prettyJson(text: string): string {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  let [out, depth] = ["", 0];
  const line = () => `\n${"  ".repeat(depth)}`;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g)) {
    if (token === "}" || token === "]") {
      depth -= 1;
      out = /[{[]$/.test(out.trimEnd()) ? out.trimEnd() + token : out + line() + token;
      continue;
    }
    out += token;
    if (token === "{" || token === "[") {
      depth += 1;
      out += line();
    } else if (token === ",") out += line();
    else if (token === ":") out += " ";
  }
  // A closing sign was put on a line of its own; blanks at line ends come from empty places.
  return out.replace(/[ ]+$/gm, "").replace(/\n\n+/g, "\n");
}
