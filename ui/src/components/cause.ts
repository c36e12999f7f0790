import { useTranslation } from "react-i18next";

/** Why deliveries fail, in a few words: by the cause of an attempt and its HTTP code, else by the message's reason. */
export function useCauseWord() {
  const { t, i18n } = useTranslation("causes");
  return (cause: string, code = 0, reason = ""): string => {
    if (cause === "http" && code > 0) return t("answered", { code });
    const key = cause || reason;
    return i18n.exists(key, { ns: "causes" }) ? t(key as "dns") : key || t("unknown");
  };
}
