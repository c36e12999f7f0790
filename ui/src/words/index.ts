import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import { en } from "./en";

/** The one message catalogue. A second language is a folder beside `en`. */
export const words = i18next.createInstance();

words.use(initReactI18next).init({
  lng: "en",
  fallbackLng: "en",
  resources: { en },
  defaultNS: "common",
  interpolation: { escapeValue: false },
  returnNull: false,
  initAsync: false,
});

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "common";
    resources: typeof en;
  }
}
