import { Button, Modal } from "antd";
import { RotateCw } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { formatCount } from "@/components/format";
import { TypedConfirm, useDialogFocus, useTell } from "@/components/forms";
import type { ReplayResponse, UndeliveredGroup } from "@/gen/rollcall/provider/v1/log";
import { TYPED_ABOVE } from "./group";

/** Sends a group again: first how many exactly, then the act. */
export function Replay({ group, onDone }: { group: UndeliveredGroup; onDone: () => void }) {
  const { t } = useTranslation("undelivered");
  const { t: common } = useTranslation();
  const tell = useTell();
  const { first: cancel, afterOpenChange } = useDialogFocus();
  const [counted, setCounted] = useState<ReplayResponse | null>(null);
  const count = useAct("LogService/Replay");
  const send = useAct("LogService/Replay", ["LogService"]);
  const request = { school: group.schoolId, group: group.group };
  const ask = () =>
    count.mutate({ ...request, dryRun: true }, { onSuccess: (answer) => setCounted(answer), onError: tell.failed });
  const go = () =>
    send.mutate(
      { ...request, dryRun: false },
      {
        onSuccess: ({ messages }) => {
          setCounted(null);
          tell.done(t("replay.queued", { count: Number(messages), messages: formatCount(messages) }));
          onDone();
        },
        onError: tell.failed,
      },
    );
  const number = Number(counted?.messages ?? 0);
  const refused = Number(counted?.refused ?? 0);
  const says = { count: number, messages: formatCount(number), school: group.schoolName };
  const left = refused > 0 ? t("replay.refused", { count: refused, refused: formatCount(refused) }) : "";
  const typed = number > TYPED_ABOVE;
  return (
    <>
      <Button type="primary" icon={<RotateCw size={16} aria-hidden />} loading={count.isPending} onClick={ask}>
        {t("act.replay")}
      </Button>
      <TypedConfirm
        open={counted !== null && typed}
        title={t("replay.title", says)}
        text={`${t("replay.text", says)} ${left}`}
        name={group.schoolName}
        verb={t("replay.verb", says)}
        busy={send.isPending}
        onConfirm={go}
        onCancel={() => setCounted(null)}
      />
      <Modal
        open={counted !== null && !typed}
        title={number > 0 ? t("replay.title", says) : t("replay.none")}
        onCancel={() => setCounted(null)}
        afterOpenChange={afterOpenChange}
        footer={[
          <Button key="cancel" ref={cancel} onClick={() => setCounted(null)}>
            {common(number > 0 ? "act.cancel" : "act.close")}
          </Button>,
          number > 0 && (
            <Button key="verb" type="primary" loading={send.isPending} onClick={go}>
              {t("replay.verb", says)}
            </Button>
          ),
        ]}
      >
        <p>
          {number > 0 && t("replay.text", says)} {left}
        </p>
      </Modal>
    </>
  );
}
