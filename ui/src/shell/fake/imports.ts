import type { Answers } from "./host";

export const imports = (): Pick<Answers, "calls" | "streams"> => ({ calls: {}, streams: {} });
