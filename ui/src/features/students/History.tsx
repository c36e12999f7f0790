import { useTranslation } from "react-i18next";
import { useCall } from "@/api/hooks";
import { Personal } from "@/components/personal";
import { Loaded } from "@/components/states";
import { Time } from "@/components/time";
import type { School } from "@/gen/rollcall/provider/v1/school";
import type { Student, StudentVersion } from "@/gen/rollcall/provider/v1/student";
import { differing, FIELDS, type Field, PERSONAL } from "./student";
import { useFieldText } from "./useFieldText";

/** Every version of a student, newest first, with what each changed and the values before. */
export function History({ district, sourcedId, schools }: { district: string; sourcedId: string; schools: School[] }) {
  const { t } = useTranslation("students");
  const query = useCall("StudentService/ListStudentVersions", { district, sourcedId });
  return (
    <Loaded query={query}>
      {({ versions }) => (
        <ol aria-label={t("tab.history")} className="m-0 flex list-none flex-col gap-4 p-0">
          {versions.map((version, index) => (
            <Version
              key={version.student?.version}
              version={version}
              before={versions[index + 1]?.student}
              schools={schools}
            />
          ))}
        </ol>
      )}
    </Loaded>
  );
}

function Version({ version, before, schools }: { version: StudentVersion; before?: Student; schools: School[] }) {
  const { t } = useTranslation("students");
  const text = useFieldText(schools);
  const { student, actor, at } = version;
  if (!student) return null;
  const shown = before ? differing(before, student) : FIELDS.filter((field) => text(student, field) !== "");
  const cell = (field: Field, value: string) => {
    if (value === "") return <span className="text-text-3">–</span>;
    const words = <span className="whitespace-pre-line break-words">{value}</span>;
    return PERSONAL.has(field) ? <Personal>{words}</Personal> : words;
  };
  return (
    <li className="rounded-card border border-solid border-hairline">
      <div className="flex flex-wrap items-center gap-x-3 border-0 border-b border-solid border-hairline px-3 py-1.5 text-text-2">
        <span className="font-medium text-text-1">{t("version", { version: student.version })}</span>
        <Time at={at} />
        <span>{actor.startsWith("run") ? t("history.import") : t("history.by", { actor })}</span>
        {!before && <span className="ml-auto text-label text-text-3">{t("history.first")}</span>}
      </div>
      <table className="w-full table-fixed border-collapse text-left">
        <thead className="text-label text-text-3">
          <tr>
            <th scope="col" className="w-40 px-3 py-1 font-normal">
              {t("conflict.field")}
            </th>
            {before && (
              <th scope="col" className="px-3 py-1 font-normal">
                {t("history.before")}
              </th>
            )}
            <th scope="col" className="px-3 py-1 font-normal">
              {before ? t("history.after") : t("history.value")}
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((field) => (
            <tr key={field} className="align-top">
              <th scope="row" className="px-3 py-1 font-normal text-text-2">
                {t(`field.${field}`)}
              </th>
              {before && <td className="px-3 py-1 text-text-3">{cell(field, text(before, field))}</td>}
              <td className="px-3 py-1">{cell(field, text(student, field))}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {shown.length === 0 && <p className="m-0 px-3 pb-2 text-text-3">{t("history.none")}</p>}
    </li>
  );
}
