import { expect, test } from "vitest";
import { compareVersion } from "./version";

test.each([
  ["0.1.0", "0.1.9", "same"],
  ["0.1.0", "0.2.0", "older"],
  ["0.3.1", "0.2.0", "newer"],
  ["1.4.0", "1.0.3", "same"],
  ["1.9.0", "2.0.0", "older"],
  ["1.0.0", "0.9.0", "newer"],
])("a server of %s to a console of %s is %s", (server, ours, verdict) => {
  expect(compareVersion(server, ours)).toBe(verdict);
});
