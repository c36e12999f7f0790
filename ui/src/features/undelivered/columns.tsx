import { useTranslation } from "react-i18next";
import { useCauseWord } from "@/components/cause";
import type { Column } from "@/components/DataGrid";
import { formatCount } from "@/components/format";
import { StatusPill } from "@/components/StatusPill";
import { Time } from "@/components/time";
import type { UndeliveredGroup } from "@/gen/rollcall/provider/v1/log";
import { STATE_TONES } from "./group";

/** The columns of the groups. */
export function useColumns(): Column<UndeliveredGroup>[] {
  const { t } = useTranslation("undelivered");
  const causeWord = useCauseWord();
  return [
    { id: "state", header: t("column.state"), width: "112px", cell: (one) => <GroupState group={one} /> },
    {
      id: "cause",
      header: t("column.cause"),
      width: "minmax(220px, 1.4fr)",
      sortable: true,
      cell: ({ cause, code, group, explanation }) => (
        <span title={explanation}>{causeWord(cause, code, group?.reason)}</span>
      ),
    },
    {
      id: "school",
      header: t("column.school"),
      width: "minmax(160px, 1fr)",
      sortable: true,
      cell: ({ schoolName }) => schoolName,
    },
    {
      id: "messages",
      header: t("column.messages"),
      width: "104px",
      align: "right",
      sortable: true,
      cell: ({ messages, more }) => `${formatCount(messages)}${more ? "+" : ""}`,
    },
    {
      id: "first",
      header: t("column.first"),
      width: "170px",
      sortable: true,
      cell: ({ firstAt }) => <Time at={firstAt} />,
    },
    {
      id: "last",
      header: t("column.last"),
      width: "170px",
      sortable: true,
      cell: ({ lastAt }) => <Time at={lastAt} />,
    },
  ];
}

/** Whether a group is tried again, rests or is held back. */
export function GroupState({ group }: { group: UndeliveredGroup }) {
  const { t } = useTranslation("undelivered");
  const state = group.group?.state ?? "parked";
  return <StatusPill tone={STATE_TONES[state] ?? "parked"} word={t(`state.${state}` as "state.parked", state)} />;
}
