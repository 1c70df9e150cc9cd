// Which stacks there are, for given settings.

import type { App, StackProps } from "aws-cdk-lib";
import { Tags } from "aws-cdk-lib";
import { readSettings, type System } from "./settings";
import { BaseStack } from "./stacks/base";
import { BucketStack } from "./stacks/bucket";
import { FleetStack } from "./stacks/fleet";
import { ListStack } from "./stacks/list";
import { ProcessStack } from "./stacks/process";
import { WorkerStack } from "./stacks/worker";

/** Makes the stacks that the context asks for. Without an account in `env` they can be deployed into any. */
export function build(app: App, props?: StackProps): void {
  const settings = readSettings(app);
  const base = new BaseStack(app, "ImgmillBase", settings, props);
  const make: Record<System, () => void> = {
    list: () => new ListStack(app, "ImgmillList", settings, props),
    bucket: () => new BucketStack(app, "ImgmillBucket", base, settings, props),
    worker: () => new WorkerStack(app, "ImgmillWorker", base, settings, props),
    process: () => new ProcessStack(app, "ImgmillProcess", base, settings, props),
    fleet: () => new FleetStack(app, "ImgmillFleet", base, settings, props),
  };
  for (const system of settings.systems) {
    make[system]();
  }
  Tags.of(app).add("application", "imgmill");
}
