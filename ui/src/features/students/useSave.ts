import type { FormInstance } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { call } from "@/api/hooks";
import { showViolations, useTell } from "@/components/forms";
import type { Student } from "@/gen/rollcall/provider/v1/student";
import { useHost } from "@/shell/context";
import type { ShellFailure } from "@/shell/host";
import { useDryRun } from "./useDryRun";

/** Saves a student in two steps; a version that is not current any more becomes a choice between the two. */
export function useSave(
  district: string,
  form: FormInstance<Student>,
  isNew: boolean,
  onSaved: (student: Student, events: number) => void,
) {
  const { t } = useTranslation("students");
  const host = useHost();
  const tell = useTell();
  const [theirs, setTheirs] = useState<Student | null>(null);
  const [asking, setAsking] = useState(false);
  const refused = async (error: ShellFailure) => {
    const stale = error.code === "aborted" && error.violations.some(({ field }) => field === "version");
    if (!stale) {
      if (!showViolations(form, error, "student")) tell.failed(error);
      return;
    }
    try {
      const sourcedId = form.getFieldValue("sourcedId") as string;
      setTheirs(await call(host, "StudentService/GetStudent", { district, sourcedId }));
    } catch (failure) {
      tell.failed(failure as ShellFailure);
    }
  };
  const dry = useDryRun("StudentService/PutStudent", {
    refused: (error) => void refused(error),
    done: ({ student, events }) => student && onSaved(student, events),
  });
  /** A new record must not replace one that is there. */
  const isFree = async (sourcedId: string) => {
    setAsking(true);
    try {
      await call(host, "StudentService/GetStudent", { district, sourcedId });
      form.setFields([{ name: "sourcedId", errors: [t("taken")] }]);
      form.scrollToField("sourcedId", { focus: true });
      return false;
    } catch (failure) {
      if ((failure as ShellFailure).code === "not_found") return true;
      tell.failed(failure as ShellFailure);
      return false;
    } finally {
      setAsking(false);
    }
  };
  return {
    ...dry,
    planning: dry.planning || asking,
    busy: dry.acting,
    theirs,
    forgetTheirs: () => setTheirs(null),
    plan: async (student: Student) => {
      if (isNew && !(await isFree(student.sourcedId))) return;
      dry.plan({ district, student });
    },
  };
}
