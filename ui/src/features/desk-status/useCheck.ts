import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { call, refresh } from "@/api/hooks";
import type { SendTestEventResponse } from "@/gen/rollcall/provider/v1/school";
import type { ReceivedEvent, TailEventsResponse } from "@/gen/rollcall/school/v1/receiver";
import { useHost } from "@/shell/context";
import type { ShellFailure, Stop } from "@/shell/host";

/** How long an answered test message may take to show up here. */
export const ARRIVAL_S = 10;

export interface Check {
  /** The provider's answer, once it came. */
  sent?: SendTestEventResponse;
  /** The provider could not be asked. */
  error?: ShellFailure;
  /** The test message as this receiver recorded it. */
  arrived?: ReceivedEvent;
  /** It should be here by now. */
  missing?: boolean;
}

/** A real test message: asked for at the provider, then seen arriving here. */
export function useCheck() {
  const host = useHost();
  const client = useQueryClient();
  const [check, setCheck] = useState<Check | null>(null);
  const running = useRef<Stop | null>(null);
  const end = useCallback(() => {
    running.current?.();
    running.current = null;
  }, []);
  useEffect(() => end, [end]);

  const run = useCallback(async () => {
    end();
    setCheck({});
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stopTail: Stop = () => {};
    let current = true;
    running.current = () => {
      current = false;
      clearTimeout(timer);
      stopTail();
    };
    const add = (more: Check) => current && setCheck((before) => ({ ...before, ...more }));
    try {
      // The tail starts behind what was there before, so that no arrival falls between.
      const { events } = await call(host, "ReceiverService/ListEvents", { pageSize: 1 });
      if (!current) return;
      const afterNumber = events[0]?.number ?? "0";
      stopTail = host.openStream("ReceiverService/TailEvents", { afterNumber }, (event) => {
        if (event.kind !== "message") return;
        const arrived = (event.message as TailEventsResponse).events.find((row) => row.eventType === "connection.test");
        if (!arrived) return;
        add({ arrived, missing: false });
        end();
        void refresh(client, ["ReceiverService"]);
      });
      const sent = await call(host, "SchoolLinkService/RequestTestEvent", {});
      add({ sent });
      if (current && sent.ok) timer = setTimeout(() => add({ missing: true }), ARRIVAL_S * 1_000);
    } catch (caught) {
      add({ error: caught as ShellFailure });
      end();
    }
    void refresh(client, ["SchoolLinkService"]);
  }, [host, client, end]);

  const busy = check !== null && !check.error && (!check.sent || (check.sent.ok && !check.arrived && !check.missing));
  return { check, busy, run };
}
