import type { Answers } from "./host";

export const receiver = (): Pick<Answers, "calls" | "streams"> => ({ calls: {}, streams: {} });
