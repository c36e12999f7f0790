// axe on places of a console in a real browser, light and dark, with colours and layout, which jsdom has not: `npm run
// build:fake && node tests/routes.mjs school / /roster /events`. Ends with 1 where it finds anything, or a page scrolls as a
// whole.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { open } from "./serve.mjs";

const [app, ...places] = process.argv.slice(2);
if (!app || places.length === 0) throw new Error("usage: node tests/routes.mjs provider|school PLACE…");
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const { browser, url, close } = await open(app);
let found = 0;
for (const colorScheme of ["light", "dark"]) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 832 }, colorScheme });
  for (const place of places) {
    await page.goto("about:blank");
    await page.goto(url(place));
    await page.locator("h1").first().waitFor();
    await page.waitForLoadState("networkidle");
    await page.waitForTimeout(500);
    await page.evaluate(axe);
    const faults = await page.evaluate(async () => {
      const { violations } = await window.axe.run(document);
      const told = violations.flatMap(({ id, nodes }) =>
        nodes.map(
          (node) => `${id}: ${node.html.slice(0, 120)} (${node.any[0]?.message ?? node.all[0]?.message ?? ""})`,
        ),
      );
      const over = document.documentElement.scrollHeight - window.innerHeight;
      return over > 0 ? [...told, `the page is ${over} px too high`] : told;
    });
    found += faults.length;
    console.log(`${colorScheme} ${place}: ${faults.length === 0 ? "nothing found" : `\n  ${faults.join("\n  ")}`}`);
  }
  await page.close();
}
await close();
process.exit(found === 0 ? 0 : 1);
