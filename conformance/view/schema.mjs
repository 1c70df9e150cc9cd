// Holds manifests and collections against the JSON schema of Presentation 3.0.
// node schema.mjs FOLDER FILE…
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, ...files] = process.argv.slice(2);
const { Validator } = createRequire(`${folder}/`)("@hyperion-framework/validator");

let failed = 0;
const validate = (described) => {
  const validator = new Validator();
  const isValid =
    described.type === "Collection" ? validator.validateCollection(described) : validator.validateManifest(described);
  return isValid ? null : JSON.stringify(validator.validators ?? validator.errors ?? {});
};
for (const file of files) {
  const described = JSON.parse(readFileSync(file, "utf8"));
  const wrong = validate(described);
  if (wrong) {
    failed += 1;
    console.log(`${file}: ${wrong.slice(0, 2000)}`);
  }
  // It can find something.
  if (!validate({ ...described, label: 7 })) {
    failed += 1;
    console.log(`${file}: a label that is a number was not noticed`);
  }
}
process.exit(failed > 0 ? 1 : 0);
