// The CDK app: `npx cdk synth`, `npx cdk deploy`. What can be said with -c is in lib/settings.ts and docs/aws.md.

import { App } from "aws-cdk-lib";
import { build } from "../lib/app";

try {
  const app = new App();
  build(app);
  app.synth();
} catch (error) {
  // One line for a mistake in a setting; the CDK's command adds that the app failed.
  console.error(`imgmill: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
