import { Button, Modal, Radio } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useDialogFocus } from "@/components/forms";
import { StatusPill } from "@/components/StatusPill";
import type { School } from "@/gen/rollcall/provider/v1/school";
import type { Student } from "@/gen/rollcall/provider/v1/student";
import { conflicts, type Field } from "./student";
import { useFieldText } from "./useFieldText";

/** Somebody else saved meanwhile: what they wrote beside what I wrote, with a choice per field. */
export function Conflict({
  base,
  mine,
  theirs,
  schools,
  onChosen,
  onCancel,
}: {
  base: Student;
  mine: Student;
  theirs: Student;
  schools: School[];
  onChosen: (fromMine: Set<Field>) => void;
  onCancel: () => void;
}) {
  const { t } = useTranslation("students");
  const { t: common } = useTranslation();
  const fieldText = useFieldText(schools);
  const { first: cancel, afterOpenChange } = useDialogFocus();
  const rows = conflicts(base, mine, theirs);
  const [fromMine, setFromMine] = useState(
    () => new Set(rows.filter(({ changedBy }) => changedBy !== "theirs").map(({ field }) => field)),
  );
  const choose = (field: Field, side: "mine" | "theirs") => {
    const next = new Set(fromMine);
    if (side === "mine") next.add(field);
    else next.delete(field);
    setFromMine(next);
  };
  return (
    <Modal
      open
      width={760}
      title={t("conflict.title")}
      onCancel={onCancel}
      afterOpenChange={afterOpenChange}
      footer={[
        <Button key="cancel" ref={cancel} onClick={onCancel}>
          {common("act.cancel")}
        </Button>,
        <Button key="go" type="primary" onClick={() => onChosen(fromMine)}>
          {t("conflict.goOn")}
        </Button>,
      ]}
    >
      <p className="mt-0">{t("conflict.text")}</p>
      <table className="w-full border-collapse text-left">
        <thead className="text-label text-text-2">
          <tr>
            <th scope="col" className="py-1.5 pr-3 font-medium">
              {t("conflict.field")}
            </th>
            <th scope="col" className="py-1.5 pr-3 font-medium">
              {t("conflict.before")}
            </th>
            <th scope="col" className="py-1.5 pr-3 font-medium">
              {t("conflict.mine")}
            </th>
            <th scope="col" className="py-1.5 font-medium">
              {t("conflict.theirs")}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ field, changedBy }) => {
            const name = t(`field.${field}`);
            const text = (student: Student) => fieldText(student, field) || "–";
            const option = (side: "mine" | "theirs", student: Student) => (
              <td className="py-1.5 pr-3">
                <Radio
                  name={field}
                  aria-label={`${name}: ${t(`conflict.${side}`)}`}
                  checked={fromMine.has(field) === (side === "mine")}
                  onChange={() => choose(field, side)}
                >
                  <span className="whitespace-pre-line break-words">{text(student)}</span>
                </Radio>
              </td>
            );
            return (
              <tr key={field} className="border-0 border-t border-solid border-hairline align-top">
                <th scope="row" className="py-1.5 pr-3 font-normal">
                  {name}
                  {changedBy === "both" && (
                    <div className="mt-1">
                      <StatusPill tone="retrying" word={t("conflict.both")} />
                    </div>
                  )}
                </th>
                <td className="whitespace-pre-line py-1.5 pr-3 text-text-3">{text(base)}</td>
                {option("mine", mine)}
                {option("theirs", theirs)}
              </tr>
            );
          })}
        </tbody>
      </table>
      {rows.length === 0 && <p>{t("conflict.same")}</p>}
    </Modal>
  );
}
