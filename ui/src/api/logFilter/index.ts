export * from "./edit";
export * from "./match";
export * from "./parse";
export * from "./print";
export * from "./suggest";
export * from "./types";
