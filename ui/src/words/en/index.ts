import audit from "./audit.json";
import causes from "./causes.json";
import common from "./common.json";
import dashboard from "./dashboard.json";
import imports from "./imports.json";
import provider from "./provider.json";
import school from "./school.json";
import schools from "./schools.json";
import secretOnce from "./secret-once.json";
import signIn from "./sign-in.json";
import staff from "./staff.json";
import students from "./students.json";
import undelivered from "./undelivered.json";

/** English, by namespace: `common`, one per app, and one per feature. */
export const en = {
  common,
  provider,
  school,
  audit,
  causes,
  dashboard,
  imports,
  schools,
  secretOnce,
  signIn,
  staff,
  students,
  undelivered,
} as const;
