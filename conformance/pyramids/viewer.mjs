// Opens a page with an OpenSeadragon viewer, waits until it shows all it wants, and takes a picture.
// node viewer.mjs NODE_FOLDER BROWSER PAGE PICTURE
import { createRequire } from "node:module";

const [folder, executablePath, page, picture] = process.argv.slice(2);
const { chromium } = createRequire(`${folder}/`)("playwright-core");

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  const tab = await browser.newPage({ viewport: { width: 775, height: 575 } });
  const failed = [];
  let tiles = 0;
  tab.on("response", (response) => {
    if (/favicon/.test(response.url())) return;
    if (!response.ok()) failed.push(`${response.status()} ${response.url()}`);
    if (/\.jpg$/.test(response.url())) tiles += 1;
  });
  tab.on("pageerror", (error) => failed.push(String(error)));
  await tab.goto(page);
  await tab.waitForFunction("viewer.world.getItemCount() > 0 && viewer.world.getItemAt(0).getFullyLoaded()");
  await tab.screenshot({ path: picture });
  // Closer, where full-size tiles are wanted.
  await tab.evaluate("viewer.viewport.zoomTo(6, null, true)");
  await tab.waitForTimeout(300);
  await tab.waitForFunction("viewer.world.getItemAt(0).getFullyLoaded()");
  console.log(JSON.stringify({ failed, tiles }));
} finally {
  await browser.close();
}
