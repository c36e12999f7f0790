import { Button, Form } from "antd";
import { EyeOff } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useTell } from "@/components/forms";
import { Empty } from "@/components/states";
import type { District, School } from "@/gen/rollcall/provider/v1/school";
import type { Student } from "@/gen/rollcall/provider/v1/student";
import { useMay } from "@/shell/session";
import { setPreferences, usePreferences } from "@/theme/preferences";
import { Conflict } from "./Conflict";
import { Fields } from "./Fields";
import { Plan } from "./Plan";
import { changes, differing, isDeleted, merge, toStudent } from "./student";
import { useSave } from "./useSave";

interface DetailsProps {
  district: District;
  schools: School[];
  student: Student;
  isNew?: boolean;
  onDirty: (dirty: boolean) => void;
  onSaved: (student: Student) => void;
}

/** Everything of a student as a form. Nothing is kept before it was said whom it tells. */
export function Details({ district, schools, student, isNew = false, onDirty, onSaved }: DetailsProps) {
  const { t } = useTranslation("students");
  const tell = useTell();
  const { hidePersonal } = usePreferences();
  const mayEdit = useMay("ROLE_OPERATOR") && !isDeleted(student);
  const [form] = Form.useForm<Student>();
  // What was opened: the reader's ground, until it is saved or thrown away.
  const [base, setBase] = useState(student);
  const [mine, setMine] = useState(student);
  const dirty = differing(base, mine).length > 0 || mine.sourcedId !== base.sourcedId;
  const start = (from: Student, now = from) => {
    setBase(from);
    setMine(now);
    form.setFieldsValue(now);
  };
  useEffect(() => {
    if (!dirty && student.version !== base.version) start(student);
  }, [student.version]);
  useEffect(() => {
    onDirty(dirty);
    return () => onDirty(false);
  }, [dirty]);
  const save = useSave(district.id, form, isNew, (saved, events) => {
    start(saved);
    tell.done(events > 0 ? t("saved", { count: events }) : t("savedQuietly"));
    onSaved(saved);
  });
  if (hidePersonal) {
    return (
      <Empty
        icon={<EyeOff size={28} strokeWidth={1.5} />}
        text={t("hidden")}
        action={<Button onClick={() => setPreferences({ hidePersonal: false })}>{t("act.showPersonal")}</Button>}
      />
    );
  }
  return (
    <Form<Student>
      form={form}
      layout="vertical"
      initialValues={mine}
      disabled={!mayEdit || save.busy}
      scrollToFirstError
      onValuesChange={(_, all) => {
        save.back();
        setMine(toStudent(base, all));
      }}
      onFinish={() => save.plan(mine)}
    >
      {!mayEdit && <p className="mt-0 text-text-3">{isDeleted(student) ? t("deletedHint") : t("readOnly")}</p>}
      <Fields district={district} schools={schools} student={mine} isNew={isNew} />
      {save.planned ? (
        <Plan
          result={save.planned}
          changed={isNew || changes(base, save.planned)}
          verb={t("act.save")}
          busy={save.acting}
          onAct={save.act}
          onBack={save.back}
        />
      ) : (
        mayEdit && (
          <div className="sticky -bottom-6 z-10 -mx-6 -mb-6 flex justify-end gap-2 border-0 border-t border-solid border-hairline bg-surface px-6 py-3">
            <Button disabled={!dirty} onClick={() => start(student)}>
              {t("act.revert")}
            </Button>
            <Button type="primary" htmlType="submit" disabled={!dirty} loading={save.planning}>
              {t("act.review")}
            </Button>
          </div>
        )
      )}
      {save.theirs && (
        <Conflict
          base={base}
          mine={mine}
          theirs={save.theirs}
          schools={schools}
          onCancel={save.forgetTheirs}
          onChosen={(fromMine) => {
            const theirs = save.theirs as Student;
            const merged = merge(mine, theirs, fromMine);
            start(theirs, merged);
            save.forgetTheirs();
            if (differing(theirs, merged).length > 0) save.plan(merged);
          }}
        />
      )}
    </Form>
  );
}
