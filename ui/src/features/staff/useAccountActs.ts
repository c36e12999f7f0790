import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { useTell, useUndoToast } from "@/components/forms";
import type { Staff } from "@/gen/rollcall/provider/v1/staff";

export const TOUCHES = ["StaffService/ListStaff"];

/** What needs no form: whether an account may sign in, and its sessions. */
export function useAccountActs({ id, username: name }: Staff) {
  const { t } = useTranslation("staff");
  const undoToast = useUndoToast();
  const tell = useTell();
  const update = useAct("StaffService/UpdateStaff", TOUCHES);
  const revoke = useAct("StaffService/RevokeSessions", TOUCHES);
  const send = (disabled: boolean, onSuccess?: () => void) =>
    update.mutate({ staff: id, disabled }, { onSuccess, onError: tell.failed });

  const setDisabled = (disabled: boolean) =>
    send(disabled, () => undoToast(disabled ? t("disabled", { name }) : t("enabled", { name }), () => send(!disabled)));
  const endSessions = () =>
    revoke.mutate(
      { staff: id },
      { onSuccess: ({ sessions }) => tell.done(t("sessions", { name, count: sessions })), onError: tell.failed },
    );
  return { setDisabled, endSessions };
}
