/** The real program around the page. The fake builds put `fake/program.ts` in the place of this file. */
export { providerHost, schoolHost } from "./tauri";
