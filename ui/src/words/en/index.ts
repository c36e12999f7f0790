import common from "./common.json";
import provider from "./provider.json";
import school from "./school.json";
import students from "./students.json";

/** English, by namespace: `common`, one per app, and one per feature. */
export const en = { common, provider, school, students } as const;
