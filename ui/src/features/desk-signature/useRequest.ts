import { useEffect, useState } from "react";
import { useCall } from "@/api/hooks";
import { type Parts, splitRequest, toBase64 } from "./pasted";

/** What is asked of the receiver. */
export interface Asked {
  webhookId: string;
  webhookTimestamp: string;
  webhookSignature: string;
  body: string;
  receivedAt?: string;
  expectedSha256: string;
  expectedBytes: number;
}

export interface Draft extends Parts {
  receivedAt: string;
  sha256: string;
  bytes: string;
  file: { name: string; bytes: Uint8Array } | null;
}

const EMPTY: Draft = {
  id: "",
  timestamp: "",
  signature: "",
  body: "",
  receivedAt: "",
  sha256: "",
  bytes: "",
  file: null,
};

/** A received event that the check is about. */
export interface FromEvent {
  id: string;
  at: string;
}

/** The request being put together: by hand, from one pasted text, or begun from a received event. */
export function useRequest(from: FromEvent | null) {
  const [draft, setDraft] = useState<Draft>(EMPTY);
  const change = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }));
  useEffect(() => {
    if (from) change({ id: from.id, receivedAt: from.at });
  }, [from?.id, from?.at]);

  // What the provider sent is in its log, also for those that did not arrive well.
  const sent = useCall(
    "SchoolLinkService/ListOwnAttempts",
    { filter: `id:${from?.id}`, pageSize: 1 },
    { enabled: from !== null && /^evt_[0-9A-Za-z]+$/.test(from.id), retry: false },
  );
  const length = sent.data?.attempts[0]?.requestBytes;
  useEffect(() => {
    if (length) change({ bytes: String(length) });
  }, [length]);

  const body = draft.file?.bytes ?? new TextEncoder().encode(draft.body);
  const asked: Asked = {
    webhookId: draft.id.trim(),
    webhookTimestamp: draft.timestamp.trim(),
    webhookSignature: draft.signature.trim(),
    body: toBase64(body),
    ...(draft.receivedAt.trim() ? { receivedAt: timeOf(draft.receivedAt) ?? undefined } : {}),
    expectedSha256: draft.sha256.trim().toLowerCase(),
    expectedBytes: Number(draft.bytes.trim() || 0),
  };
  const wrong = {
    receivedAt: draft.receivedAt.trim() !== "" && timeOf(draft.receivedAt) === null,
    bytes: !/^\d{0,9}$/.test(draft.bytes.trim()),
  };
  return {
    draft,
    change,
    asked,
    wrong,
    right: !wrong.receivedAt && !wrong.bytes,
    /** Fills the parts in from one text; false where it holds none. */
    split: (text: string) => {
      const parts = splitRequest(text);
      if (parts) change({ ...parts, file: null });
      return parts !== null;
    },
  };
}

function timeOf(text: string): string | null {
  const at = new Date(text.trim());
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}
