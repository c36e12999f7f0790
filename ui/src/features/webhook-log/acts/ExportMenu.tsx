import { Button, Dropdown } from "antd";
import { Download } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Rpcs } from "@/api/methods";
import { useTell } from "@/components/forms";
import { useHost } from "@/shell/context";
import type { ShellFailure } from "@/shell/host";
import { formatBytes } from "../looks";

const METHOD = "LogService/ExportAttempts";
/**
 * Whether the schema has the export. As soon as it has, this line no longer compiles as it stands, and turning it to
 * `true` shows the menu.
 */
const IN_SCHEMA: typeof METHOD extends keyof Rpcs ? true : false = false;

/** Saves what the filter matches, under a name that somebody chooses. */
export function ExportMenu({
  school,
  schoolName,
  filter,
  offered = IN_SCHEMA,
}: {
  school: string;
  schoolName: string;
  filter: string;
  offered?: boolean;
}) {
  const { t } = useTranslation("webhookLog");
  const host = useHost();
  const tell = useTell();
  if (!offered) return null;
  const save = async (format: "ndjson" | "csv") => {
    const day = new Date().toISOString().slice(0, 10);
    const name = `${schoolName.toLowerCase().replace(/[^a-z0-9]+/g, "-")}-log-${day}.${format}`;
    try {
      const bytes = await host.saveFile(METHOD, { school, filter, format }, name);
      if (bytes !== null) tell.done(t("act.exported", { size: formatBytes(bytes) }));
    } catch (error) {
      tell.failed(error as ShellFailure);
    }
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
      <Button icon={<Download size={14} aria-hidden />}>{t("act.export")}</Button>
    </Dropdown>
  );
}
