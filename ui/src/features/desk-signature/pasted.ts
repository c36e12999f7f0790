/** A request's parts as somebody has them. */
export interface Parts {
  id: string;
  timestamp: string;
  signature: string;
  body: string;
}

const HEADER = /^(?:[<>]\s*)?(webhook-(?:id|timestamp|signature))\s*:\s*(.*?)\s*$/i;

/**
 * The parts of a request that was pasted as one text: headers in any case and order, also as `curl -v` prints them, an empty
 * line, the body. The body's line ends stay as they came. `null`: it holds none of the three headers.
 */
export function splitRequest(text: string): Parts | null {
  const end = /\r?\n\r?\n/.exec(text);
  const head = end ? text.slice(0, end.index) : text;
  const found = new Map<string, string>();
  let bodyStart = end ? end.index + end[0].length : text.length;
  let offset = 0;
  for (const line of head.split(/(?<=\n)/)) {
    const match = HEADER.exec(line.trimEnd());
    if (match?.[1]) found.set(match[1].toLowerCase(), match[2] ?? "");
    // Without an empty line, the body begins where the JSON does.
    else if (!end && found.size > 0 && line.trimStart().startsWith("{")) {
      bodyStart = offset;
      break;
    }
    offset += line.length;
  }
  if (found.size === 0) return null;
  return {
    id: found.get("webhook-id") ?? "",
    timestamp: found.get("webhook-timestamp") ?? "",
    signature: found.get("webhook-signature") ?? "",
    body: text.slice(bodyStart),
  };
}

/** Bytes as base64, as the schema's JSON wants them. */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  // In parts: a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 8_192) text += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  return btoa(text);
}
