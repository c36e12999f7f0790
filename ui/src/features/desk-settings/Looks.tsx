import { Segmented, Switch } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useZoneName } from "@/components/time";
import { setPreferences, usePreferences } from "@/theme/preferences";

/** How the windows of this program look. */
export function Looks() {
  const { t } = useTranslation("deskSettings");
  const { t: c } = useTranslation();
  const { theme, zone, density, hidePersonal } = usePreferences();
  const zoneName = useZoneName();
  return (
    <div className="flex flex-col gap-3">
      <Line name={t("looks.theme")}>
        <Segmented
          aria-label={t("looks.theme")}
          value={theme}
          onChange={(to) => setPreferences({ theme: to })}
          options={[
            { value: "system" as const, label: c("frame.themeSystem") },
            { value: "light" as const, label: c("frame.themeLight") },
            { value: "dark" as const, label: c("frame.themeDark") },
          ]}
        />
      </Line>
      <Line name={t("looks.zone")} hint={zoneName}>
        <Segmented
          aria-label={t("looks.zone")}
          value={zone}
          onChange={(to) => setPreferences({ zone: to })}
          options={[
            { value: "local" as const, label: c("time.local") },
            { value: "utc" as const, label: c("time.utc") },
          ]}
        />
      </Line>
      <Line name={t("looks.density")}>
        <Segmented
          aria-label={t("looks.density")}
          value={density}
          onChange={(to) => setPreferences({ density: to })}
          options={([24, 28, 36] as const).map((px) => ({ value: px, label: t("looks.densityValue", { px }) }))}
        />
      </Line>
      <Line name={t("looks.personal")}>
        <Switch
          aria-label={t("looks.personal")}
          checked={hidePersonal}
          onChange={(to) => setPreferences({ hidePersonal: to })}
        />
      </Line>
    </div>
  );
}

function Line({ name, hint, children }: { name: string; hint?: string; children: ReactNode }) {
  return (
    <div className="flex flex-wrap items-center gap-3">
      <span className="w-40 text-text-2">{name}</span>
      {children}
      {hint && <span className="text-label text-text-3">{hint}</span>}
    </div>
  );
}
