// Pictures of the consoles' pages over the fake program, in a plain browser: `npm run build:fake && node tests/shots.mjs
// OUT provider /schools light`. For looking at; the real windows have their own pictures (`cargo xtask screenshots`).

import { open } from "./serve.mjs";

const [out, app, place = "/", mode = "light", size = "1280x832"] = process.argv.slice(2);
if (!out || !app) throw new Error("usage: node tests/shots.mjs OUT.png provider|school [PLACE] [light|dark] [WxH]");
const { browser, url, close } = await open(app);
const [width, height] = size.split("x").map(Number);
const page = await browser.newPage({ viewport: { width, height }, colorScheme: mode });
page.on("console", (line) => line.type() === "error" && console.error(line.text()));
page.on("pageerror", (error) => console.error(error.message));
await page.goto(url(place));
await page.waitForLoadState("networkidle");
await page.waitForTimeout(700);
await page.screenshot({ path: out });
await close();
