import { StyleProvider } from "@ant-design/cssinjs";
import { App as AntApp, theme as antd, ConfigProvider, type MappingAlgorithm } from "antd";
import { type ReactNode, useLayoutEffect, useSyncExternalStore } from "react";
import { usePreferences } from "./preferences";
import { type App, colours, type Mode } from "./tokens";

const DARK = "(prefers-color-scheme: dark)";

function subscribeToSystem(listener: () => void) {
  const query = window.matchMedia(DARK);
  query.addEventListener("change", listener);
  return () => query.removeEventListener("change", listener);
}

/** Whether this window is light or dark now. */
export function useMode(): Mode {
  const { theme } = usePreferences();
  const systemIsDark = useSyncExternalStore(subscribeToSystem, () => window.matchMedia(DARK).matches);
  if (theme === "system") return systemIsDark ? "dark" : "light";
  return theme;
}

/** antd writes with a status' mark colour, and in the dark with one that it derives: both fail AA as a text. */
function readable(c: Record<string, string>): MappingAlgorithm {
  return (_, map) => ({
    ...(map as NonNullable<typeof map>),
    colorError: c["failed-text"] as string,
    colorErrorHover: c["failed-mark"] as string,
    colorErrorActive: c["failed-mark"] as string,
    colorWarning: c["retrying-text"] as string,
  });
}

/** Colours, type and motion of one app: as CSS variables for our own, as tokens for Ant Design's components. */
export function Theme({ app, motion = true, children }: { app: App; motion?: boolean; children: ReactNode }) {
  const mode = useMode();
  const c = colours(app, mode) as Record<string, string>;
  useLayoutEffect(() => {
    const root = document.documentElement;
    for (const [name, value] of Object.entries(colours(app, mode))) root.style.setProperty(`--${name}`, value);
    root.style.colorScheme = mode;
    root.dataset.mode = mode;
  }, [app, mode]);
  return (
    <StyleProvider layer>
      <ConfigProvider
        theme={{
          algorithm: [mode === "dark" ? antd.darkAlgorithm : antd.defaultAlgorithm, readable(c)],
          token: {
            motion,
            fontFamily: "var(--font-sans)",
            fontFamilyCode: "var(--font-mono)",
            fontSize: 13,
            borderRadius: 6,
            borderRadiusLG: 8,
            borderRadiusSM: 4,
            controlHeight: 32,
            motionDurationMid: "0.12s",
            motionDurationSlow: "0.12s",
            colorPrimary: c["accent-solid"],
            colorPrimaryHover: c["accent-hover"],
            colorPrimaryActive: c["accent-hover"],
            colorPrimaryText: c["accent-text"],
            colorPrimaryBg: c["accent-selected"],
            colorLink: c["accent-text"],
            colorLinkHover: c["accent-text"],
            colorInfo: c["queued-mark"],
            colorInfoText: c["queued-text"],
            colorInfoBg: c["queued-tint"],
            colorSuccess: c["delivered-mark"],
            colorSuccessText: c["delivered-text"],
            colorSuccessBg: c["delivered-tint"],
            colorWarning: c["retrying-mark"],
            colorWarningText: c["retrying-text"],
            colorWarningBg: c["retrying-tint"],
            colorError: c["failed-mark"],
            colorErrorText: c["failed-text"],
            colorErrorBg: c["failed-tint"],
            colorBgLayout: c.canvas,
            colorBgContainer: c.surface,
            colorBgElevated: c.surface,
            colorText: c["text-1"],
            colorTextSecondary: c["text-2"],
            colorTextTertiary: c["text-3"],
            colorTextQuaternary: c["text-3"],
            colorTextDescription: c["text-3"],
            colorTextPlaceholder: c["text-3"],
            colorTextHeading: c["text-1"],
            colorIcon: c["text-3"],
            colorBorder: c.control,
            colorBorderSecondary: c.hairline,
            colorSplit: c.hairline,
          },
          components: {
            Button: {
              primaryShadow: "none",
              defaultShadow: "none",
              dangerShadow: "none",
              // On the light red of a dark window, white would not be readable.
              dangerColor: mode === "dark" ? c.canvas : "#fff",
            },
            Table: { headerBg: c["surface-2"], headerColor: c["text-2"], cellPaddingBlockMD: 8 },
            // The solid accent is for surfaces: as a text on a dark canvas it fails AA.
            Tabs: {
              itemSelectedColor: c["accent-text"],
              itemHoverColor: c["accent-text"],
              inkBarColor: c["accent-text"],
            },
            Form: { labelColor: c["text-2"], verticalLabelPadding: "0 0 4px" },
          },
        }}
        button={{ autoInsertSpace: false }}
      >
        <AntApp className="h-full">{children}</AntApp>
      </ConfigProvider>
    </StyleProvider>
  );
}
