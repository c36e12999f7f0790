import { Button, Drawer } from "antd";
import { ScrollText } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useCauseWord } from "@/components/cause";
import { formatCount } from "@/components/format";
import { useTell } from "@/components/forms";
import { Facts } from "@/components/Page";
import { Time } from "@/components/time";
import type { UndeliveredGroup } from "@/gen/rollcall/provider/v1/log";
import { useProviderHost } from "@/shell/context";
import type { ShellFailure } from "@/shell/host";
import { useMay } from "@/shell/session";
import { GroupState } from "./columns";
import { Discard } from "./Discard";
import { Messages } from "./Messages";
import { Replay } from "./Replay";

/** One group: why in words with the next step, its messages, and what can be done with all of them. */
export function GroupPanel({
  group,
  onDone,
  onClose,
}: {
  group: UndeliveredGroup;
  onDone: () => void;
  onClose: () => void;
}) {
  const { t } = useTranslation("undelivered");
  const host = useProviderHost();
  const tell = useTell();
  const causeWord = useCauseWord();
  const mayAct = useMay("ROLE_OPERATOR");
  const { schoolId, schoolName, cause, code, explanation, messages, more, firstAt, lastAt } = group;
  return (
    <Drawer
      open
      mask={false}
      size={640}
      onClose={onClose}
      title={
        <span className="flex flex-wrap items-center gap-2">
          {causeWord(cause, code, group.group?.reason)}
          <GroupState group={group} />
        </span>
      }
    >
      <div className="flex h-full flex-col gap-4">
        <p className="m-0">{explanation || t("noExplanation")}</p>
        <Facts
          facts={[
            [t("column.school"), schoolName],
            [t("column.messages"), more ? t("atLeast", { count: formatCount(messages) }) : formatCount(messages)],
            [t("column.first"), <Time key="first" at={firstAt} />],
            [t("column.last"), <Time key="last" at={lastAt} />],
          ]}
        />
        <div className="flex flex-wrap items-center gap-2">
          {mayAct && (
            <>
              <Replay group={group} onDone={onDone} />
              <Discard group={group} onDone={onDone} />
            </>
          )}
          <Button
            icon={<ScrollText size={16} aria-hidden />}
            onClick={() =>
              void host.openLogWindow(schoolId, schoolName).catch((error: ShellFailure) => tell.failed(error))
            }
          >
            {t("act.openLog")}
          </Button>
          {!mayAct && <span className="text-text-3">{t("readOnly")}</span>}
        </div>
        <Messages group={group} />
      </div>
    </Drawer>
  );
}
