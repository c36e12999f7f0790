import { Button, Drawer, Tabs } from "antd";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCall } from "@/api/hooks";
import { Exact } from "@/components/Copy";
import { StatusPill } from "@/components/StatusPill";
import { Loaded } from "@/components/states";
import type { District, School } from "@/gen/rollcall/provider/v1/school";
import { useMay } from "@/shell/session";
import { usePreferences } from "@/theme/preferences";
import { Details } from "./Details";
import { History } from "./History";
import { Moves } from "./Moves";
import { Removal } from "./Removal";
import { hasPreferred, isDeleted, NEW_STUDENT, usedName } from "./student";

interface DrawerProps {
  district: District;
  schools: School[];
  /** `null`: a new student. */
  sourcedId: string | null;
  onPrevious?: () => void;
  onNext?: () => void;
  onDirty: (dirty: boolean) => void;
  onCreated: (sourcedId: string) => void;
  /** The student is no more. */
  onErased: () => void;
  onClose: () => void;
}

/** One student beside the list: details, enrollments, history; previous and next without going back. */
export function StudentDrawer(props: DrawerProps) {
  const { district, schools, sourcedId, onPrevious, onNext, onDirty, onCreated, onErased, onClose } = props;
  const { t } = useTranslation("students");
  const { hidePersonal } = usePreferences();
  const mayEdit = useMay("ROLE_OPERATOR");
  const [tab, setTab] = useState("details");
  const query = useCall(
    "StudentService/GetStudent",
    { district: district.id, sourcedId: sourcedId ?? "" },
    { enabled: sourcedId !== null },
  );
  const student = query.data;
  const name = student && !hidePersonal ? usedName(student) : (sourcedId ?? "");
  return (
    <Drawer
      open
      mask={false}
      size={620}
      onClose={onClose}
      title={
        <span className="flex flex-wrap items-center gap-2">
          {sourcedId === null ? t("newTitle") : name}
          {student && isDeleted(student) && <StatusPill tone="paused" word={t("status.deleted")} />}
        </span>
      }
      extra={
        sourcedId !== null && (
          <span className="flex gap-1">
            <Button
              type="text"
              aria-label={t("act.previous")}
              disabled={!onPrevious}
              icon={<ChevronLeft size={16} aria-hidden />}
              onClick={onPrevious}
            />
            <Button
              type="text"
              aria-label={t("act.next")}
              disabled={!onNext}
              icon={<ChevronRight size={16} aria-hidden />}
              onClick={onNext}
            />
            {student && mayEdit && <Removal district={district.id} student={student} onErased={onErased} />}
          </span>
        )
      }
    >
      {sourcedId === null ? (
        <Details
          key="new"
          district={district}
          schools={schools}
          student={NEW_STUDENT}
          isNew
          onDirty={onDirty}
          onSaved={(saved) => onCreated(saved.sourcedId)}
        />
      ) : (
        <Loaded query={query}>
          {(loaded) => (
            <>
              <div className="mb-2 flex flex-wrap items-center gap-x-4 text-label text-text-3">
                <Exact text={loaded.sourcedId} />
                <span>{t("version", { version: loaded.version })}</span>
                {hasPreferred(loaded) && !hidePersonal && (
                  <span>{t("legalName", { name: `${loaded.givenName} ${loaded.familyName}` })}</span>
                )}
              </div>
              <Tabs
                activeKey={tab}
                onChange={setTab}
                destroyOnHidden
                items={[
                  {
                    key: "details",
                    label: t("tab.details"),
                    children: (
                      <Details
                        key={loaded.sourcedId}
                        district={district}
                        schools={schools}
                        student={loaded}
                        onDirty={onDirty}
                        onSaved={() => {}}
                      />
                    ),
                  },
                  {
                    key: "moves",
                    label: t("tab.moves"),
                    children: (
                      <Moves key={loaded.sourcedId} district={district.id} student={loaded} schools={schools} />
                    ),
                  },
                  {
                    key: "history",
                    label: t("tab.history"),
                    children: <History district={district.id} sourcedId={loaded.sourcedId} schools={schools} />,
                  },
                ]}
              />
            </>
          )}
        </Loaded>
      )}
    </Drawer>
  );
}
