import audit from "./audit.json";
import common from "./common.json";
import dashboard from "./dashboard.json";
import desk from "./desk.json";
import deskEnroll from "./desk-enroll.json";
import deskEvents from "./desk-events.json";
import deskRoster from "./desk-roster.json";
import deskRotate from "./desk-rotate.json";
import deskSettings from "./desk-settings.json";
import deskSignature from "./desk-signature.json";
import deskStatus from "./desk-status.json";
import imports from "./imports.json";
import provider from "./provider.json";
import school from "./school.json";
import schools from "./schools.json";
import secretOnce from "./secret-once.json";
import signIn from "./sign-in.json";
import staff from "./staff.json";
import students from "./students.json";
import webhookLog from "./webhook-log.json";

/** English, by namespace: `common`, one per app, and one per feature. */
export const en = {
  audit,
  common,
  dashboard,
  desk,
  deskEnroll,
  deskEvents,
  deskRoster,
  deskRotate,
  deskSettings,
  deskSignature,
  deskStatus,
  imports,
  provider,
  school,
  schools,
  secretOnce,
  signIn,
  staff,
  students,
  webhookLog,
} as const;
