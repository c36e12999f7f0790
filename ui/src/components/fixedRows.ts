import { type RefObject, useLayoutEffect, useState } from "react";

/** Rows beyond the visible ones, so that scrolling shows no blank. */
const MARGIN = 12;
/** At the top, where rows come in and each of them is drawn anew: nobody scrolls yet. */
const MARGIN_AT_TOP = 3;
const HEADER_PX = 32;

/**
 * Which rows of one height a scrolling box shows. All of them are alike, so nothing is measured: the cost does not grow
 * with their number, and only a change of the first row draws anew.
 */
export function useFixedRows(scroller: RefObject<HTMLElement | null>, count: number, height: number) {
  const [box, setBox] = useState(0);
  const [first, setFirst] = useState(0);
  const read = () => {
    const element = scroller.current;
    if (element) setFirst(Math.floor(element.scrollTop / height));
  };
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const measure = () => setBox(element.offsetHeight);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [scroller]);
  useLayoutEffect(read, [height, count === 0]);
  const start = Math.min(first, Math.max(0, count - 1));
  const margin = start === 0 ? MARGIN_AT_TOP : MARGIN;
  return {
    from: Math.max(0, start - margin),
    to: Math.min(count, start + Math.ceil(box / height) + margin),
    onScroll: read,
    /** Scrolls as little as it takes to see a row, and not at all where it is seen. */
    reveal(index: number) {
      const element = scroller.current;
      if (!element) return;
      const [top, bottom] = [index * height, (index + 1) * height + HEADER_PX];
      if (top < element.scrollTop) element.scrollTop = top;
      else if (bottom > element.scrollTop + element.clientHeight) element.scrollTop = bottom - element.clientHeight;
      read();
    },
  };
}
