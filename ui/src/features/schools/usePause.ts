import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { useTell, useUndoToast } from "@/components/forms";
import type { School } from "@/gen/rollcall/provider/v1/school";

const TOUCHES = ["SchoolService", "LogService/GetOverview"];

export type PauseLength = 900 | 3600 | 14400 | 86400 | 0;

/** Pauses and resumes a school; each can be taken back by the other. */
export function usePause(school: School) {
  const { t } = useTranslation("schools");
  const undoToast = useUndoToast();
  const tell = useTell();
  const pausing = useAct("SchoolService/PauseSchool", TOUCHES);
  const resuming = useAct("SchoolService/ResumeSchool", TOUCHES);
  const { id, name } = school;
  const resumeAgain = () => resuming.mutate({ school: id }, { onError: tell.failed });
  const pauseAgain = () => pausing.mutate({ school: id, durationS: 0 }, { onError: tell.failed });

  const pause = (durationS: PauseLength, onDone: () => void) =>
    pausing.mutate(
      { school: id, durationS },
      {
        onSuccess: () => {
          onDone();
          const length = t(`pause.d${durationS}`);
          undoToast(durationS ? t("pause.done", { name, length }) : t("pause.doneOpen", { name }), resumeAgain);
        },
        onError: tell.failed,
      },
    );
  const resume = () =>
    resuming.mutate(
      { school: id },
      {
        onSuccess: () => {
          const { pending = 0, parked = 0, held = 0 } = school.figures ?? {};
          const count = Number(pending) + Number(parked) + Number(held);
          undoToast(t("resume.done", { name, count }), pauseAgain);
        },
        onError: tell.failed,
      },
    );
  return { pause, resume, busy: pausing.isPending || resuming.isPending };
}
