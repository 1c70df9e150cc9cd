// sharp as a peer: answers the requests that worker.py describes. One thread, no cache. The packages are found from
// the directory in the first argument.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

const sharp = createRequire(`${process.argv[2]}/`)("sharp");
sharp.concurrency(1);
sharp.cache(false);

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = { cpu: await measured(JSON.parse(line)) };
  } catch (error) {
    answer = { error: String(error) };
  }
  console.log(JSON.stringify(answer));
}

async function measured(request) {
  const data = readFileSync(request.source);
  let made = await make(data, request);
  const seconds = [];
  for (let time = 0; time < request.times; time += 1) {
    const began = process.cpuUsage();
    made = await make(data, request);
    const used = process.cpuUsage(began);
    seconds.push((used.user + used.system) / 1e6);
  }
  made.forEach((image, index) => writeFileSync(request.outputs[index], image));
  return seconds;
}

async function make(data, request) {
  const made = [];
  for (const size of request.sizes) {
    const small = sharp(data).resize(size, size, { fit: "inside", withoutEnlargement: true });
    made.push(await encoded(small, request).toBuffer());
  }
  return made;
}

function encoded(image, { format, quality }) {
  if (format === "png") return image.png();
  return format === "webp" ? image.webp({ quality }) : image.jpeg({ quality });
}
