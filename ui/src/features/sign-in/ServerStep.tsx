import { useQuery } from "@tanstack/react-query";
import { AutoComplete, Button, Spin } from "antd";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useProviderHost } from "@/shell/context";
import type { Server } from "@/shell/host";
import { CheckFailure, CheckResult } from "./CheckResult";
import { KeyChanged } from "./KeyChanged";
import { useServerCheck } from "./useServerCheck";

interface ServerStepProps {
  /** A server whose key was known or is accepted, or none any more. */
  onAccept: (accepted: { server: Server; unclaimed: boolean } | null) => void;
}

/** Which server: its address, and what a look at it found. */
export function ServerStep({ onAccept }: ServerStepProps) {
  const { t } = useTranslation("signIn");
  const host = useProviderHost();
  const known = useQuery({ queryKey: ["known_servers"], queryFn: () => host.knownServers(), gcTime: 0 });
  const [typed, setTyped] = useState<string | null>(null);
  const text = typed ?? known.data?.[0]?.address ?? "";
  const check = useServerCheck(text);
  /** The key that the person accepted by hand. */
  const [trusted, setTrusted] = useState("");
  const changed = check.error?.code === "server_key_changed" ? check.error.keys : undefined;

  const pin =
    check.data?.compatible && (check.data.keyKnown || trusted === check.data.pin) ? check.data.pin : undefined;
  const newPin = changed && trusted === changed.shown ? changed.shown : undefined;
  const acceptedPin = pin ?? newPin ?? "";
  const unclaimed = check.data?.unclaimed ?? false;
  useEffect(() => {
    onAccept(acceptedPin ? { server: { address: check.address, pin: acceptedPin }, unclaimed } : null);
  }, [onAccept, check.address, acceptedPin, unclaimed]);

  return (
    <section aria-label={t("server.connected")} className="flex flex-col gap-3">
      <div className="flex flex-col gap-1">
        <label htmlFor="server-address" className="text-text-2">
          {t("server.label")}
        </label>
        <AutoComplete
          id="server-address"
          aria-describedby="server-hint"
          autoFocus={known.data?.length === 0}
          value={text}
          onChange={(value: string) => setTyped(value)}
          options={
            known.data?.length
              ? [
                  {
                    label: t("server.known"),
                    options: known.data.map(({ address }) => ({ value: address, label: address })),
                  },
                ]
              : []
          }
        />
        <span id="server-hint" className="text-label text-text-3">
          {t("server.hint")}
        </span>
      </div>
      <div role="status" aria-label={t("check.region")} className="flex flex-col gap-3 empty:hidden">
        {check.isFetching && (
          <span className="flex items-center gap-2 text-text-2">
            <Spin size="small" />
            {t("check.checking", { address: check.address })}
          </span>
        )}
        {!check.isFetching && check.data && <CheckResult check={check.data} />}
        {!check.isFetching && changed && <KeyChanged keys={changed} trusted={!!newPin} onTrust={setTrusted} />}
        {!check.isFetching && check.error && !changed && (
          <CheckFailure error={check.error} onRetry={() => void check.refetch()} />
        )}
      </div>
      {!check.isFetching && check.data?.compatible && !check.data.keyKnown && trusted !== check.data.pin && (
        <Button type="primary" className="self-start" onClick={() => setTrusted(check.data?.pin ?? "")}>
          {t("check.trust")}
        </Button>
      )}
    </section>
  );
}
