import { renderHook } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { leaveLogFilter, useLeftLogFilter } from "./logPlace";

test("a filter that was left is taken once, by its school's window, before it opens and while it is open", () => {
  const take = vi.fn();
  leaveLogFilter("sch_1", "status:failed");
  renderHook(() => useLeftLogFilter("sch_2", take));
  expect(take).not.toHaveBeenCalled();
  const { unmount } = renderHook(() => useLeftLogFilter("sch_1", take));
  expect(take).toHaveBeenCalledExactlyOnceWith("status:failed");
  expect(localStorage.length).toBe(0);

  // Another window of the app left one: browsers tell all but the window that wrote.
  leaveLogFilter("sch_1", "code:5xx");
  const key = "rollcall.log.filter.sch_1";
  window.dispatchEvent(new StorageEvent("storage", { key, newValue: localStorage.getItem(key) }));
  expect(take).toHaveBeenLastCalledWith("code:5xx");
  unmount();
  renderHook(() => useLeftLogFilter("sch_1", take));
  expect(take).toHaveBeenCalledTimes(2);
});

test("somebody else's text is left out", () => {
  const take = vi.fn();
  localStorage.setItem("rollcall.log.filter.sch_1", "{");
  renderHook(() => useLeftLogFilter("sch_1", take));
  expect(take).not.toHaveBeenCalled();
});
