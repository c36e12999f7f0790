import { Button, Dropdown } from "antd";
import { Download } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Rpcs } from "@/api/methods";
import { useTell } from "@/components/forms";
import { useHost } from "@/shell/context";
import type { ShellFailure } from "@/shell/host";
import { formatBytes } from "../looks";

const METHOD = "LogService/ExportAttempts";

/** Saves what the filter matches, under a name that somebody chooses. */
export function ExportMenu({ school, schoolName, filter }: { school: string; schoolName: string; filter: string }) {
  const { t } = useTranslation("webhookLog");
  const host = useHost();
  const tell = useTell();
  const [busy, setBusy] = useState(false);
  const save = async (format: "ndjson" | "csv") => {
    const day = new Date().toISOString().slice(0, 10);
    const name = `${schoolName.toLowerCase().replace(/[^a-z0-9]+/g, "-")}-log-${day}.${format}`;
    const request: Rpcs[typeof METHOD]["request"] = { school, filter, format };
    setBusy(true);
    try {
      const bytes = await host.saveFile(METHOD, request, name);
      if (bytes !== null) tell.done(t("act.exported", { size: formatBytes(bytes) }));
    } catch (error) {
      tell.failed(error as ShellFailure);
    }
    setBusy(false);
  };
  return (
    <Dropdown
      trigger={["click"]}
      menu={{
        items: [
          { key: "ndjson", label: t("act.exportNdjson"), onClick: () => void save("ndjson") },
          { key: "csv", label: t("act.exportCsv"), onClick: () => void save("csv") },
          { type: "divider" },
          { key: "hint", disabled: true, label: t("act.exportHint") },
        ],
      }}
    >
      <Button icon={<Download size={14} aria-hidden />} loading={busy}>
        {t("act.export")}
      </Button>
    </Dropdown>
  );
}
