import { Button, Dropdown, Form, Input } from "antd";
import { EllipsisVertical } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { TypedConfirm, useTell, useUndoToast } from "@/components/forms";
import type { Student } from "@/gen/rollcall/provider/v1/student";
import { isDeleted } from "./student";

/** Marks for deletion, brings back, erases for good. */
export function Removal({ district, student, onErased }: { district: string; student: Student; onErased: () => void }) {
  const { t } = useTranslation("students");
  const tell = useTell();
  const undoable = useUndoToast();
  const [erasing, setErasing] = useState(false);
  const [reason, setReason] = useState("");
  const mark = useAct("StudentService/DeleteStudent", ["StudentService"]);
  const put = useAct("StudentService/PutStudent", ["StudentService"]);
  const erase = useAct("StudentService/EraseStudent", ["StudentService/ListStudents"]);
  const { sourcedId } = student;
  const restore = (record: Student) =>
    put.mutate(
      {
        district,
        student: { ...record, status: "STUDENT_STATUS_ACTIVE" },
        idempotencyKey: crypto.randomUUID(),
        dryRun: false,
      },
      { onSuccess: ({ events }) => tell.done(t("restored", { count: events })), onError: tell.failed },
    );
  const markNow = () =>
    mark.mutate(
      { district, sourcedId, idempotencyKey: crypto.randomUUID(), dryRun: false },
      {
        onSuccess: ({ student: marked, events }) =>
          undoable(t("marked", { sourcedId, count: events }), () => marked && restore(marked)),
        onError: tell.failed,
      },
    );
  const eraseNow = () =>
    erase.mutate(
      { district, sourcedId, confirmSourcedId: sourcedId, reason: reason.trim() },
      {
        onSuccess: ({ versionsDeleted, bodiesDeleted, events }) => {
          setErasing(false);
          tell.done(t("erased", { sourcedId, versions: versionsDeleted, bodies: bodiesDeleted, count: events }));
          onErased();
        },
        onError: tell.failed,
      },
    );
  return (
    <>
      <Dropdown
        trigger={["click"]}
        menu={{
          items: [
            isDeleted(student)
              ? { key: "restore", label: t("act.restore"), onClick: () => restore(student) }
              : { key: "mark", label: t("act.mark"), onClick: markNow },
            { key: "erase", danger: true, label: t("act.erase"), onClick: () => setErasing(true) },
          ],
        }}
      >
        <Button type="text" aria-label={t("act.more")} icon={<EllipsisVertical size={16} aria-hidden />} />
      </Dropdown>
      <TypedConfirm
        open={erasing}
        title={t("erase.title")}
        text={t("erase.text")}
        name={sourcedId}
        verb={t("erase.verb")}
        ready={reason.trim() !== ""}
        busy={erase.isPending}
        onCancel={() => setErasing(false)}
        onConfirm={eraseNow}
      >
        <Form layout="vertical">
          <Form.Item label={t("erase.reason")} extra={t("erase.reasonHint")}>
            <Input aria-label={t("erase.reason")} value={reason} onChange={(event) => setReason(event.target.value)} />
          </Form.Item>
        </Form>
      </TypedConfirm>
    </>
  );
}
