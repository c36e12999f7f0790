import { useNavigate } from "@tanstack/react-router";
import { App, Button } from "antd";
import { UserPlus } from "lucide-react";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { DataGrid, type GridHandle } from "@/components/DataGrid";
import { DistrictSelect, useDistrict, useSchools } from "@/components/district";
import { Page, Section } from "@/components/Page";
import { Empty, EmptyFilter, Loaded } from "@/components/states";
import type { Student } from "@/gen/rollcall/provider/v1/student";
import { useMay } from "@/shell/session";
import { useColumns } from "./columns";
import { FilterBar } from "./FilterBar";
import { StudentDrawer } from "./StudentDrawer";
import { isDeleted } from "./student";
import { NO_FILTERS, useStudents } from "./useStudents";

/** The students of a district: find one, see everything of it, change it. */
export default function Students() {
  const { t } = useTranslation("students");
  const mayEdit = useMay("ROLE_OPERATOR");
  const { query: districtQuery, districts, district, choose } = useDistrict();
  const { schools, nameOf } = useSchools(district?.id);
  const list = useStudents(district?.id);
  const [open, setOpen] = useState<string | null>(null);
  const [creating, setCreating] = useState(false);
  const navigate = useNavigate();
  const { modal } = App.useApp();
  const dirty = useRef(false);
  /** Goes on at once, or once somebody let go of what is not saved. */
  const leave = (go: () => void) => {
    if (!dirty.current) return go();
    modal.confirm({
      title: t("unsaved.title"),
      content: t("unsaved.text"),
      okText: t("act.discard"),
      cancelText: t("act.keepEditing"),
      focusable: { autoFocusButton: "cancel" },
      onOk: go,
    });
  };
  const show = (sourcedId: string | null) => {
    if (sourcedId === open && !creating) return;
    leave(() => {
      setCreating(false);
      setOpen(sourcedId);
    });
  };
  const grid = useRef<GridHandle>(null);
  const columns = useColumns(nameOf);
  const at = list.students.findIndex(({ sourcedId }) => sourcedId === open);
  const step = (by: number) => show(list.students[at + by]?.sourcedId ?? open);
  const close = () => {
    setOpen(null);
    setCreating(false);
    grid.current?.focus();
  };
  const more = list.query.hasNextPage;
  return (
    <Page
      title={t("title")}
      fill
      actions={
        <>
          <DistrictSelect
            districts={districts}
            value={district?.id}
            onChange={(id) =>
              leave(() => {
                close();
                list.setFilters(NO_FILTERS);
                choose(id);
              })
            }
          />
          {mayEdit && district && (
            <Button
              type="primary"
              icon={<UserPlus size={16} aria-hidden />}
              onClick={() => leave(() => setCreating(true))}
            >
              {t("act.new")}
            </Button>
          )}
        </>
      }
    >
      <FilterBar filters={list.filters} filtered={list.filtered} schools={schools} onChange={list.setFilters} />
      <Section flush fill>
        <Loaded
          query={districtQuery}
          empty={<Empty text={t("noDistrict")} />}
          isEmpty={({ districts: all }) => !all.length}
        >
          {() => (
            <Loaded query={list.query}>
              {() => (
                <DataGrid<Student>
                  ref={grid}
                  label={t("title")}
                  rows={list.students}
                  rowKey={({ sourcedId }) => sourcedId}
                  columns={columns}
                  totalRows={more ? -1 : undefined}
                  sort={list.sort}
                  onSort={list.setSort}
                  openKey={open}
                  onOpen={({ sourcedId }) => show(sourcedId)}
                  copyText={({ sourcedId }) => sourcedId}
                  rowClass={(student) => (isDeleted(student) ? "text-text-3" : "")}
                  onNearEnd={list.more}
                  empty={
                    list.query.isFetching ? null : list.filtered ? (
                      <EmptyFilter text={t("emptyFilter")} onClear={() => list.setFilters(NO_FILTERS)} />
                    ) : (
                      <Empty
                        text={t("empty")}
                        action={
                          <Button type="primary" onClick={() => void navigate({ to: "/imports" })}>
                            {t("act.import")}
                          </Button>
                        }
                      />
                    )
                  }
                />
              )}
            </Loaded>
          )}
        </Loaded>
        <div role="status" className="border-0 border-t border-solid border-hairline px-4 py-1 text-label text-text-3">
          {list.query.data && t(more ? "loadedMore" : "loaded", { count: list.students.length })}
        </div>
      </Section>
      {district && (open !== null || creating) && (
        <StudentDrawer
          district={district}
          schools={schools}
          sourcedId={creating ? null : open}
          onPrevious={!creating && at > 0 ? () => step(-1) : undefined}
          onNext={!creating && at >= 0 && at < list.students.length - 1 ? () => step(1) : undefined}
          onCreated={(sourcedId) => {
            setCreating(false);
            setOpen(sourcedId);
          }}
          onDirty={(now) => {
            dirty.current = now;
          }}
          onErased={close}
          onClose={() => leave(close)}
        />
      )}
    </Page>
  );
}
