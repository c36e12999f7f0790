import { Link, useNavigate, useRouterState } from "@tanstack/react-router";
import { Button, Dropdown, Modal, Segmented, Tooltip } from "antd";
import { Command } from "cmdk";
import { Eye, EyeOff, Keyboard, type LucideIcon, PanelLeft, Search, SunMoon } from "lucide-react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useHost } from "@/shell/context";
import type { LinkState, Target } from "@/shell/host";
import { setPreferences, usePreferences } from "@/theme/preferences";
import { useZoneName } from "./time";

export interface Place {
  to: string;
  label: string;
  icon: LucideIcon;
  /** A count that wants attention. */
  badge?: number;
}

/** Something the palette can do beside going somewhere. */
export interface Act {
  label: string;
  run: () => void;
}

interface FrameProps {
  name: string;
  places: Place[];
  acts?: Act[];
  /** In the status bar, left to right. */
  status: ReactNode;
  account?: ReactNode;
  children: ReactNode;
}

const isMod = (event: KeyboardEvent) => event.ctrlKey || event.metaKey;

/** Keys that act in a whole window: Mod+F goes to the filter, F6 to the next pane, and those given with Mod. */
export function useWindowKeys(acts: Record<string, () => void>) {
  const latest = useRef(acts);
  latest.current = acts;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const act = latest.current[event.key];
      if (isMod(event) && act) act();
      else if (isMod(event) && event.key === "f") document.querySelector<HTMLElement>("[data-filter]")?.focus();
      else if (event.key === "F6") nextPane(event.shiftKey);
      else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}

/** The window around every screen: sidebar, top bar, content, status bar; the palette and the keyboard's sheet. */
export function Frame({ name, places, acts = [], status, account, children }: FrameProps) {
  const { t } = useTranslation();
  const { sidebar } = usePreferences();
  const [palette, setPalette] = useState(false);
  const [sheet, setSheet] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  useWindowKeys({ k: () => setPalette((open) => !open), "/": () => setSheet((open) => !open) });
  const narrow = sidebar === "narrow";
  const isHere = (to: string) => (to === "/" ? path === "/" : path.startsWith(to));
  return (
    <div className="relative grid h-full grid-rows-[44px_minmax(0,1fr)_24px] overflow-hidden">
      <a
        href="#content"
        className="sr-only top-2 left-2 z-50 bg-surface focus:not-sr-only focus:absolute focus:px-3 focus:py-1"
      >
        {t("frame.skip")}
      </a>
      <header className="flex items-center gap-2 border-0 border-b border-solid border-hairline bg-surface px-3">
        <IconButton
          icon={PanelLeft}
          label={narrow ? t("frame.expand") : t("frame.collapse")}
          onClick={() => setPreferences({ sidebar: narrow ? "wide" : "narrow" })}
        />
        <span className="flex items-center gap-2 font-semibold">
          <span aria-hidden className="inline-block h-4 w-4 rounded-chip bg-accent" />
          {name}
        </span>
        <button
          type="button"
          onClick={() => setPalette(true)}
          className="ml-4 flex h-7 w-72 items-center gap-2 rounded-control border border-solid border-control bg-canvas px-2 text-left text-text-3"
        >
          <Search size={14} aria-hidden />
          <span className="flex-1">{t("frame.palette")}</span>
          <kbd>Ctrl K</kbd>
        </button>
        <div className="ml-auto flex items-center gap-1">
          <PersonalSwitch />
          <ThemeMenu />
          <IconButton icon={Keyboard} label={t("frame.shortcuts")} onClick={() => setSheet(true)} />
          {account}
        </div>
      </header>
      <div className={`grid min-h-0 ${narrow ? "grid-cols-[56px_minmax(0,1fr)]" : "grid-cols-[216px_minmax(0,1fr)]"}`}>
        <nav
          aria-label={t("frame.navigation")}
          data-pane
          tabIndex={-1}
          className="flex flex-col gap-0.5 overflow-y-auto border-0 border-r border-solid border-hairline bg-surface p-2"
        >
          {places.map(({ to, label, icon: Icon, badge }) => (
            <Tooltip key={to} title={narrow ? label : ""} placement="right">
              <Link
                to={to}
                aria-current={isHere(to) ? "page" : undefined}
                aria-label={label}
                className={`flex h-8 items-center gap-3 rounded-control px-3 no-underline ${
                  isHere(to) ? "bg-accent-selected font-medium text-accent-text" : "text-text-2 hover:bg-surface-2"
                }`}
              >
                <Icon size={16} aria-hidden className="shrink-0" />
                {!narrow && <span className="truncate">{label}</span>}
                {!narrow && !!badge && (
                  <span className="ml-auto rounded-chip bg-failed-tint px-1.5 text-label text-failed tabular-nums">
                    {badge}
                  </span>
                )}
              </Link>
            </Tooltip>
          ))}
        </nav>
        <main id="content" data-pane tabIndex={-1} className="relative min-h-0 overflow-y-auto outline-none">
          {children}
        </main>
      </div>
      <footer className="flex items-center gap-4 border-0 border-t border-solid border-hairline bg-surface px-3 text-label text-text-3">
        {status}
        <ZoneSwitch />
      </footer>
      <Palette open={palette} onClose={() => setPalette(false)} places={places} acts={acts} />
      <Sheet open={sheet} onClose={() => setSheet(false)} />
    </div>
  );
}

/** The zone that times are shown in, and its switch; for the right end of a status bar. */
export function ZoneSwitch() {
  const { t } = useTranslation();
  const { zone } = usePreferences();
  const name = useZoneName();
  return (
    <button
      type="button"
      className="ml-auto h-6 border-0 bg-transparent text-label text-text-3 hover:text-text-1"
      onClick={() => setPreferences({ zone: zone === "utc" ? "local" : "utc" })}
    >
      <span className="sr-only">{`${t("time.zone")}: ${zone === "utc" ? t("time.utc") : t("time.local")}, `}</span>
      {name}
    </button>
  );
}

/** Masks personal data in every window, or shows it. */
export function PersonalSwitch() {
  const { t } = useTranslation();
  const { hidePersonal } = usePreferences();
  return (
    <IconButton
      icon={hidePersonal ? EyeOff : Eye}
      label={hidePersonal ? t("frame.showPersonal") : t("frame.hidePersonal")}
      onClick={() => setPreferences({ hidePersonal: !hidePersonal })}
    />
  );
}

function nextPane(back: boolean) {
  const panes = [...document.querySelectorAll<HTMLElement>("[data-pane]")];
  const at = panes.findIndex((pane) => pane.contains(document.activeElement));
  panes.at((at + (back ? -1 : 1)) % panes.length)?.focus();
}

/** A button that is only an icon; its name is its tooltip. */
export function IconButton({ icon: Icon, label, onClick }: { icon: LucideIcon; label: string; onClick?: () => void }) {
  return (
    <Tooltip title={label}>
      <Button type="text" aria-label={label} icon={<Icon size={16} aria-hidden />} onClick={onClick} />
    </Tooltip>
  );
}

/** Light or dark, and the height of rows. */
export function ThemeMenu() {
  const { t } = useTranslation();
  const { theme, density } = usePreferences();
  const themes = [
    { value: "system" as const, label: t("frame.themeSystem") },
    { value: "light" as const, label: t("frame.themeLight") },
    { value: "dark" as const, label: t("frame.themeDark") },
  ];
  return (
    <Dropdown
      trigger={["click"]}
      popupRender={() => (
        <div className="flex flex-col gap-3 rounded-card border border-solid border-hairline bg-surface p-3 shadow-lg">
          <span className="text-label text-text-3">{t("frame.theme")}</span>
          <Segmented
            aria-label={t("frame.theme")}
            options={themes}
            value={theme}
            onChange={(to) => setPreferences({ theme: to })}
          />
          <span className="text-label text-text-3">{t("frame.density")}</span>
          <Segmented
            aria-label={t("frame.density")}
            options={[24, 28, 36]}
            value={density}
            onChange={(to) => setPreferences({ density: to as 24 | 28 | 36 })}
          />
        </div>
      )}
    >
      <Button type="text" aria-label={t("frame.theme")} icon={<SunMoon size={16} aria-hidden />} />
    </Dropdown>
  );
}

function Palette({
  open,
  onClose,
  places,
  acts,
}: {
  open: boolean;
  onClose: () => void;
  places: Place[];
  acts: Act[];
}) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const run = (act: () => void) => () => {
    onClose();
    act();
  };
  const item =
    "flex h-8 cursor-default items-center gap-2 rounded-control px-2 data-[selected=true]:bg-accent-selected";
  return (
    <Modal open={open} onCancel={onClose} footer={null} closable={false} destroyOnHidden title={null} width={520}>
      <Command label={t("frame.palette")} className="flex flex-col gap-2">
        <Command.Input
          autoFocus
          placeholder={t("frame.palette")}
          className="h-9 rounded-control border border-solid border-control bg-surface px-3 text-text-1"
        />
        <Command.List className="max-h-80 overflow-auto">
          <Command.Empty className="p-3 text-text-3">{t("frame.paletteEmpty")}</Command.Empty>
          {places.map(({ to, label, icon: Icon }) => (
            <Command.Item key={to} className={item} onSelect={run(() => void navigate({ to }))}>
              <Icon size={16} aria-hidden />
              {label}
            </Command.Item>
          ))}
          {acts.map((act) => (
            <Command.Item key={act.label} className={item} onSelect={run(act.run)}>
              {act.label}
            </Command.Item>
          ))}
        </Command.List>
      </Command>
    </Modal>
  );
}

/** What the keys do. */
export function Sheet({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const keys: [string, string][] = [
    ["Ctrl K", t("shortcut.palette")],
    ["Ctrl /", t("shortcut.sheet")],
    ["Ctrl F", t("shortcut.filter")],
    ["F6", t("shortcut.pane")],
    ["↑ ↓  j k  Home End PgUp PgDn", t("shortcut.move")],
    ["Enter", t("shortcut.open")],
    ["Esc", t("shortcut.closePanel")],
    ["Space", t("shortcut.select")],
    ["Ctrl C", t("shortcut.copyId")],
  ];
  return (
    <Modal open={open} onCancel={onClose} footer={null} title={t("frame.shortcuts")}>
      <dl className="m-0 grid grid-cols-[auto_1fr] gap-x-6 gap-y-2">
        {keys.map(([key, what]) => (
          <div key={key} className="contents">
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd className="m-0">{what}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}

/** Whether a server is reached, now and as it changes. */
export function useLink(target: Target): LinkState {
  const host = useHost();
  const [state, setState] = useState<LinkState>("not_connected");
  useEffect(() => host.watchLink(target, setState), [host, target]);
  return state;
}

/** A dot and a word for the status bar. */
export function LinkStatus({ target }: { target: Target }) {
  const { t } = useTranslation();
  const state = useLink(target);
  const mark = {
    connected: "bg-delivered-mark",
    reconnecting: "bg-retrying-mark",
    not_connected: "bg-paused-mark",
    server_key_changed: "bg-failed-mark",
  };
  return (
    <span role="status" className="inline-flex items-center gap-1.5">
      <span aria-hidden className={`h-2 w-2 rounded-full ${mark[state]}`} />
      {t(`link.${state}`)}
    </span>
  );
}
