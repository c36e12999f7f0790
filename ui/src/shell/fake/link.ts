import type { Answers } from "./host";

export const link = (): Pick<Answers, "calls" | "streams"> => ({ calls: {}, streams: {} });
