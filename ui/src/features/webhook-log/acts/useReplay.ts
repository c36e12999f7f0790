import { useEffect, useRef, useState } from "react";
import { call } from "@/api/hooks";
import type { TailAttemptsResponse } from "@/gen/rollcall/provider/v1/log";
import { useHost } from "@/shell/context";
import type { ShellFailure, Stop } from "@/shell/host";

/** A replay under way. */
export interface Queued {
  /** Names it, for a cancel. */
  replay: string;
  messages: number;
  refused: number;
  /** Attempts of a replay that were recorded since, one for each message. */
  done: number;
  delivered: number;
  /** When it was queued, and when the newest attempt came, Unix ms. */
  since: number;
  last: number;
}

/** What a cancel did. */
export interface Cancelled {
  /** Messages that are what they were before. */
  restored: number;
  /** Messages that were attempted already. */
  begun: number;
}

/** Replays and counts what comes of it, by the log itself. */
export function useReplay(school: string, cursor: () => number | null) {
  const host = useHost();
  const [queued, setQueued] = useState<Queued | null>(null);
  const [cancelled, setCancelled] = useState<Cancelled | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ShellFailure | null>(null);
  const stop = useRef<Stop | null>(null);
  const end = () => {
    stop.current?.();
    stop.current = null;
  };
  useEffect(() => end, []);

  const follow = (replay: string, messages: number, refused: number, after: number | null) => {
    const since = Date.now();
    const outcomes = new Map<string, boolean>();
    const look = () => {
      const delivered = [...outcomes.values()].filter(Boolean).length;
      setQueued({ replay, messages, refused, done: outcomes.size, delivered, since, last: Date.now() });
      if (outcomes.size >= messages) end();
    };
    look();
    if (messages === 0) return;
    const request = { school, filter: "trigger:replay", afterLogSequence: after === null ? undefined : String(after) };
    stop.current = host.openStream("LogService/TailAttempts", request, (event) => {
      if (event.kind !== "message") return;
      for (const { messageId, status } of (event.message as TailAttemptsResponse).attempts) {
        outcomes.set(messageId, status === "delivered");
      }
      look();
    });
  };

  const run = async (filter: string, since: string | undefined) => {
    const after = cursor();
    setBusy(true);
    setError(null);
    try {
      const answer = await call(host, "LogService/Replay", { school, filter, since, dryRun: false });
      follow(answer.replay, Number(answer.messages), Number(answer.refused), after);
    } catch (refused) {
      setError(refused as ShellFailure);
    }
    setBusy(false);
  };
  const cancel = async () => {
    setBusy(true);
    setError(null);
    try {
      const { restored, begun } = await call(host, "LogService/CancelReplay", { school, replay: queued?.replay });
      end();
      setCancelled({ restored: Number(restored), begun: Number(begun) });
    } catch (refused) {
      setError(refused as ShellFailure);
    }
    setBusy(false);
  };
  const forget = () => {
    end();
    setQueued(null);
    setCancelled(null);
    setError(null);
  };
  return { queued, cancelled, busy, error, run, cancel, forget };
}
