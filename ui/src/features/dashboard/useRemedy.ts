import { useNavigate } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { useTell } from "@/components/forms";
import type { AttentionItem } from "@/gen/rollcall/provider/v1/log";
import { useProviderHost } from "@/shell/context";

/** The one thing to do about an item. It opens a place; acting is done there. */
export function useRemedy({ kind, schoolId, schoolName, runId }: AttentionItem): { word: string; run: () => void } {
  const { t } = useTranslation("dashboard");
  const navigate = useNavigate();
  const host = useProviderHost();
  const tell = useTell();
  const toSchool = (tab: string) => () =>
    void navigate({ to: "/schools/$school", params: { school: schoolId }, search: { tab } });
  switch (kind) {
    case "connection_down":
    case "connection_failing":
    case "clock_skew":
      return { word: t("do.log"), run: () => void host.openLogWindow(schoolId, schoolName).catch(tell.failed) };
    case "import_hold":
    case "import_failed":
      return { word: t("do.import"), run: () => void navigate({ to: "/imports/$run", params: { run: runId } }) };
    case "parked":
    case "oldest_undelivered":
      return { word: t("do.undelivered"), run: () => void navigate({ to: "/undelivered" }) };
    case "enrollment_compromised":
    case "code_locked":
    case "code_expired":
      return { word: t("do.code"), run: toSchool("secrets") };
    case "secret_revoked":
    case "old_secret":
      return { word: t("do.secrets"), run: toSchool("secrets") };
    default:
      return { word: t("do.school"), run: toSchool("overview") };
  }
}
