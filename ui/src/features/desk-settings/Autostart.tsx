import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Alert, Switch } from "antd";
import { useTranslation } from "react-i18next";
import { useSchoolHost } from "@/shell/context";
import type { ShellFailure } from "@/shell/host";

/** Whether the desk starts with the session. The switch shows what the system says, not what was pressed. */
export function Autostart() {
  const { t } = useTranslation("deskSettings");
  const host = useSchoolHost();
  const client = useQueryClient();
  const state = useQuery<boolean, ShellFailure>({ queryKey: ["autostart"], queryFn: () => host.autostart() });
  const change = useMutation<void, ShellFailure, boolean>({
    mutationFn: (on) => host.setAutostart(on),
    onSettled: () => client.invalidateQueries({ queryKey: ["autostart"] }),
  });
  const error = change.error ?? state.error;
  return (
    <div className="flex flex-col gap-2">
      <div className="flex items-center gap-3">
        <Switch
          aria-label={t("start.autostart")}
          checked={state.data ?? false}
          disabled={state.data === undefined}
          loading={state.isFetching || change.isPending}
          onChange={(on) => change.mutate(on)}
        />
        {t("start.autostart")}
      </div>
      <p className="m-0 text-text-2">{t("start.autostartText")}</p>
      {error && <Alert type="error" showIcon role="alert" title={error.message} />}
    </div>
  );
}
