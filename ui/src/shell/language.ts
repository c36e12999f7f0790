/**
 * A session without a language (`LANG=C`) gives its pages the tag "C", which `Intl` refuses: libraries that ask it at their
 * start would take the whole screen with them. English then, as everywhere. To be imported first.
 */
try {
  Intl.getCanonicalLocales(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en" });
}
