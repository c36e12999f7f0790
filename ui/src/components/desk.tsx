import { useTranslation } from "react-i18next";
import { CopyButton } from "./Copy";

/** Which of the catalogue's names the place of the secret has on this machine. */
export function secretPlace(store: string, platform = navigator.platform) {
  if (store !== "keychain") return (["file", "credential", "env"] as const).find((name) => name === store) ?? "other";
  if (/mac/i.test(platform)) return "mac";
  return /win/i.test(platform) ? "windows" : "linux";
}

/** Where the secret is kept, by the name that people see elsewhere: `GNOME Keyring`, `macOS Keychain`, … */
export function useSecretPlace(store: string): string {
  const { t } = useTranslation("desk");
  return t(`place.${secretPlace(store)}`);
}

/** Six words that both consoles show for the same secret, to be read out and compared. */
export function Fingerprint({ words, big = false }: { words: string; big?: boolean }) {
  const { t } = useTranslation("desk");
  return (
    <span className="inline-flex max-w-full items-center gap-2">
      <code
        data-testid="fingerprint"
        className={big ? "font-mono text-[20px] leading-8 font-semibold break-words text-text-1" : "break-words"}
      >
        {words}
      </code>
      <CopyButton text={words} label={t("copyFingerprint")} />
    </span>
  );
}
