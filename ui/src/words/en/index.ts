import common from "./common.json";
import provider from "./provider.json";
import school from "./school.json";

/** English, by namespace: `common`, one per app, and one per feature. */
export const en = { common, provider, school } as const;
