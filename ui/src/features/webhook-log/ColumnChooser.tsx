import { Button, Dropdown } from "antd";
import { Check, Columns3 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { OPTIONAL, type Optional } from "./columns";

/** Which of the further columns are shown; remembered. */
export function ColumnChooser({
  shown,
  onChange,
}: {
  shown: readonly Optional[];
  onChange: (shown: Optional[]) => void;
}) {
  const { t } = useTranslation("webhookLog");
  const turn = (id: Optional) => onChange(OPTIONAL.filter((known) => shown.includes(known) !== (known === id)));
  return (
    <Dropdown
      trigger={["click"]}
      menu={{
        selectable: true,
        multiple: true,
        selectedKeys: [...shown],
        items: OPTIONAL.map((id) => ({
          key: id,
          label: t(`column.${id}`),
          icon: <Check size={14} aria-hidden className={shown.includes(id) ? "" : "invisible"} />,
          onClick: () => turn(id),
        })),
      }}
    >
      <Button
        type="text"
        aria-label={t("column.choose")}
        title={t("column.choose")}
        icon={<Columns3 size={16} aria-hidden />}
      />
    </Dropdown>
  );
}
