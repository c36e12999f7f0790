import { Button, Form, Input, Modal } from "antd";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { formatCount } from "@/components/format";
import { showViolations, useDialogFocus, useTell, useUndoToast } from "@/components/forms";
import type { UndeliveredGroup } from "@/gen/rollcall/provider/v1/log";

/** Gives a group up, for a reason that is kept; for ten seconds a press takes it back. */
export function Discard({ group, onDone }: { group: UndeliveredGroup; onDone: () => void }) {
  const { t } = useTranslation("undelivered");
  const { t: common } = useTranslation();
  const tell = useTell();
  const undoable = useUndoToast();
  const { first: cancel, afterOpenChange } = useDialogFocus();
  const [open, setOpen] = useState(false);
  const [form] = Form.useForm<{ reason: string }>();
  const discard = useAct("LogService/DiscardMessages", ["LogService"]);
  const restore = useAct("LogService/UndoDiscard", ["LogService"]);
  const school = group.schoolId;
  // By the promise: the panel is closed by the time somebody takes it back.
  const undo = (token: string) =>
    restore
      .mutateAsync({ school, undo: token })
      .then(
        ({ restored, superseded }) =>
          tell.done(
            Number(superseded) > 0
              ? t("discard.restoredSome", { restored: formatCount(restored), superseded: formatCount(superseded) })
              : t("discard.restored", { restored: formatCount(restored) }),
          ),
        tell.failed,
      );
  const go = ({ reason }: { reason: string }) =>
    discard.mutate(
      { school, group: group.group, messages: [], reason: reason.trim() },
      {
        onSuccess: ({ discarded, undo: token }) => {
          setOpen(false);
          const says = t("discard.done", { count: Number(discarded), messages: formatCount(discarded) });
          if (token) undoable(says, () => void undo(token));
          else tell.done(says);
          onDone();
        },
        onError: (error) => {
          if (!showViolations(form, error)) tell.failed(error);
        },
      },
    );
  const says = { count: Number(group.messages), messages: formatCount(group.messages), school: group.schoolName };
  return (
    <>
      <Button icon={<Trash2 size={16} aria-hidden />} onClick={() => setOpen(true)}>
        {t("act.discard")}
      </Button>
      <Modal
        open={open}
        title={t("discard.title", says)}
        onCancel={() => setOpen(false)}
        afterOpenChange={afterOpenChange}
        footer={[
          <Button key="cancel" ref={cancel} onClick={() => setOpen(false)}>
            {common("act.cancel")}
          </Button>,
          <Button key="verb" type="primary" danger loading={discard.isPending} onClick={form.submit}>
            {t("discard.verb", says)}
          </Button>,
        ]}
      >
        <p className="mt-0">{t("discard.text", says)}</p>
        <Form form={form} layout="vertical" onFinish={go}>
          <Form.Item
            name="reason"
            label={t("discard.reason")}
            extra={t("discard.reasonHint")}
            rules={[{ required: true, whitespace: true, message: t("discard.reasonMissing") }]}
          >
            <Input maxLength={255} />
          </Form.Item>
        </Form>
      </Modal>
    </>
  );
}
