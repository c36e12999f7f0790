import { useMutation } from "@tanstack/react-query";
import { Button } from "antd";
import { useTranslation } from "react-i18next";
import { useTell } from "@/components/forms";
import { useSchoolHost } from "@/shell/context";
import type { ShellFailure } from "@/shell/host";

/** Writes what support needs to a file that somebody names. */
export function Diagnostics() {
  const { t } = useTranslation("deskSettings");
  const host = useSchoolHost();
  const tell = useTell();
  const save = useMutation<number | null, ShellFailure>({
    mutationFn: () => host.saveDiagnostics(),
    onSuccess: (bytes) => bytes !== null && tell.done(t("support.saved", { bytes: bytes.toLocaleString("en") })),
    onError: (error) => tell.failed(error),
  });
  return (
    <div className="flex flex-col items-start gap-2">
      <p className="m-0 text-text-2">{t("support.text")}</p>
      <Button loading={save.isPending} onClick={() => save.mutate()}>
        {t("support.diagnostics")}
      </Button>
    </div>
  );
}
