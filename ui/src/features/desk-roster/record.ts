/** A student's record in the wire form. What cannot be read is empty, so that a row is still shown. */
export function recordOf(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** A field's JSON for people: texts without quotes, lists with commas, objects one per line as `name: value`. */
export function valueWords(json: string): string {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return json;
  }
  return words(value);
}

function words(value: unknown): string {
  if (Array.isArray(value)) {
    const nested = value.some((part) => typeof part === "object");
    return value.map(words).join(nested ? "\n" : ", ");
  }
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([name, part]) => `${name}: ${words(part)}`)
      .join(", ");
  }
  return String(value);
}

/** Names and addresses that the switch for personal data masks; ids, grades and dates of enrollment are none. */
export const PERSONAL: ReadonlySet<string> = new Set([
  "givenName",
  "familyName",
  "middleName",
  "preferredGivenName",
  "preferredMiddleName",
  "preferredFamilyName",
  "identifier",
  "username",
  "email",
  "birthDate",
]);
