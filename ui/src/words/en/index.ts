import common from "./common.json";
import desk from "./desk.json";
import deskEnroll from "./desk-enroll.json";
import deskEvents from "./desk-events.json";
import deskRoster from "./desk-roster.json";
import deskRotate from "./desk-rotate.json";
import deskSettings from "./desk-settings.json";
import deskSignature from "./desk-signature.json";
import deskStatus from "./desk-status.json";
import provider from "./provider.json";
import school from "./school.json";
import students from "./students.json";

/** English, by namespace: `common`, one per app, and one per feature. */
export const en = {
  common,
  desk,
  deskEnroll,
  deskEvents,
  deskRoster,
  deskRotate,
  deskSettings,
  deskSignature,
  deskStatus,
  provider,
  school,
  students,
} as const;
