import { expect, test } from "vitest";
import type { SecretInfo } from "@/gen/rollcall/provider/v1/school";
import { oldKeyVerdict } from "./oldKey";

const NOW = Date.parse("2026-11-23T16:00:00Z");
const secret = (state: string, lastVerifiedAt?: string): SecretInfo => ({
  id: `sec_${state}`,
  fingerprint: "amber basin cedar delta ember falcon",
  state,
  createdAt: "2026-11-22T16:00:00Z",
  expiresAt: undefined,
  lastVerifiedAt,
});

test.each([
  ["no overlap", [secret("active", "2026-11-23T15:59:00Z")], null],
  ["nobody says", [secret("active"), secret("retiring")], "unknown"],
  ["only the new one is told", [secret("active", "2026-11-23T15:59:00Z"), secret("retiring")], "unknown"],
  ["quiet since 3 h", [secret("active", "2026-11-23T15:59:00Z"), secret("retiring", "2026-11-23T13:00:00Z")], "safe"],
  ["5 min ago", [secret("active", "2026-11-23T15:59:00Z"), secret("retiring", "2026-11-23T15:55:00Z")], "needed"],
  ["nothing since", [secret("active", "2026-11-23T12:59:00Z"), secret("retiring", "2026-11-23T13:00:00Z")], "needed"],
  ["new one unused", [secret("active"), secret("retiring", "2026-11-23T13:00:00Z")], "needed"],
])("%s", (_, secrets, verdict) => {
  expect(oldKeyVerdict(secrets, NOW)?.verdict ?? null).toBe(verdict);
});
