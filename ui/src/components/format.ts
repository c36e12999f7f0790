const NUMBER = new Intl.NumberFormat("en");

/** A count with its thousands apart: `1,204`. The schema writes 64-bit counts as texts. */
export const formatCount = (count: number | string) => NUMBER.format(Number(count));

/** Tenths of a percent as people read them: `99.8 %`; whole percents without the zero. */
export function formatPerMille(perMille: number): string {
  return `${(perMille / 10).toFixed(perMille % 10 === 0 ? 0 : 1)} %`;
}

/** The sum of counts. */
export const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);

/** Delivered attempts of all, in tenths of a percent; absent where there were none. */
export function perMille(delivered: number, failed: number): number | undefined {
  const attempts = delivered + failed;
  if (attempts === 0) return undefined;
  // Never 100 % while something failed.
  return failed === 0 ? 1_000 : Math.min(Math.round((delivered / attempts) * 1_000), 999);
}
