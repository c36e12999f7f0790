import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { call, refresh } from "@/api/hooks";
import type { Attempt, TailAttemptsResponse } from "@/gen/rollcall/provider/v1/log";
import { useHost } from "@/shell/context";
import type { ShellFailure, Stop } from "@/shell/host";

/** What became of sending a message again. */
export interface Resent {
  /** The try that it was queued as. */
  number: number;
  /** Another message than asked, where that one was purged. */
  as: string | null;
  /** The attempt, once it was made. */
  outcome: Attempt | null;
}

/** Streams that one window may hold open are few. */
const MOST_WATCHED = 8;

/**
 * Sends messages again and watches what comes of it, whatever the list's filter lets through. Until the attempt is
 * recorded, the message is queued, and nothing more is said.
 */
export function useResend(school: string, cursor: () => number | null) {
  const host = useHost();
  const client = useQueryClient();
  const [resent, setResent] = useState<ReadonlyMap<string, Resent>>(new Map());
  const [error, setError] = useState<{ message: string; error: ShellFailure } | null>(null);
  const [busy, setBusy] = useState<string | null>(null);
  const watched = useRef(new Map<string, Stop>());
  useEffect(
    () => () => {
      for (const stop of watched.current.values()) stop();
    },
    [],
  );

  const note = (message: string, now: Resent) => setResent((known) => new Map(known).set(message, now));

  const watch = (asked: string, message: string, number: number, after: string) => {
    watched.current.get(asked)?.();
    const oldest = watched.current.keys().next().value;
    if (watched.current.size >= MOST_WATCHED && oldest) watched.current.get(oldest)?.();
    const request = { school, filter: `id:${message}`, afterLogSequence: after };
    const stop = host.openStream("LogService/TailAttempts", request, (event) => {
      if (event.kind !== "message") return;
      const { attempts } = event.message as TailAttemptsResponse;
      const outcome = attempts.find(({ messageId, tryNumber }) => messageId === message && tryNumber >= number);
      if (!outcome) return;
      note(asked, { number, as: message === asked ? null : message, outcome });
      end();
      void refresh(client, ["LogService/GetMessage", "LogService/GetHistogram"]);
    });
    const end = () => {
      stop();
      watched.current.delete(asked);
    };
    watched.current.set(asked, end);
  };

  const resend = async (row: Attempt) => {
    const asked = row.messageId;
    // Taken before the act, so that the attempt is surely behind it.
    const after = String(cursor() ?? row.logSequence);
    setBusy(asked);
    setError(null);
    try {
      const { message, queuedAsTry } = await call(host, "LogService/ResendMessage", { message: asked });
      note(asked, { number: queuedAsTry, as: message === asked ? null : message, outcome: null });
      watch(asked, message, queuedAsTry, after);
      void refresh(client, ["LogService/GetMessage"]);
    } catch (refused) {
      setError({ message: asked, error: refused as ShellFailure });
    }
    setBusy(null);
  };
  return { resent, resend, error, busy };
}

export type Resending = ReturnType<typeof useResend>;
