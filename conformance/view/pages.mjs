// Opens a manifest in the page of `imgmill view` and takes a picture of each of its pages.
// node pages.mjs DRIVER BROWSER PAGE PICTURES
import { createRequire } from "node:module";

const [folder, executablePath, page, name] = process.argv.slice(2);
const { chromium } = createRequire(`${folder}/`)("playwright-core");

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  const tab = await browser.newPage({ viewport: { width: 1100, height: 650 } });
  const failed = [];
  const pictures = [];
  const pages = [];
  // Which of two places an image is at, the page finds out by asking.
  tab.on("pageerror", (error) => failed.push(String(error)));
  await tab.goto(page);
  await tab.waitForSelector("#pages:not([hidden])");
  for (;;) {
    for (let tries = 0; tries < 200; tries += 1) {
      if (await tab.evaluate("viewer.world.getItemCount() > 0 && viewer.world.getItemAt(0).getFullyLoaded()")) break;
      await tab.waitForTimeout(100);
    }
    await tab.waitForTimeout(1500);
    pages.push(await tab.textContent("#page"));
    pictures.push(`${name}-${pages.length}.png`);
    await tab.screenshot({ path: pictures.at(-1) });
    if ((await tab.isDisabled("#next")) || pages.length > 9) break;
    await tab.click("#next");
  }
  if (await tab.isVisible("#error")) failed.push(await tab.textContent("#error"));
  console.log(JSON.stringify({ failed, pages, pictures }));
} finally {
  await browser.close();
}
