import type { Answers } from "./host";

export const staff = (): Pick<Answers, "calls" | "streams"> => ({ calls: {}, streams: {} });
