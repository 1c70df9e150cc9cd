// What may be said of a deployment, read from the CDK's context (`-c NAME=VALUE`, or "context" in cdk.json) and checked
// before anything is made of it. Only this file reads context, so an unknown or wrong value is told once and by name.

import * as fs from "node:fs";
import * as path from "node:path";
import type { App } from "aws-cdk-lib";

/** The systems that can be deployed, each as a stack of its own. */
export const SYSTEMS = ["list", "bucket", "worker", "process", "fleet"] as const;
export type System = (typeof SYSTEMS)[number];

/** A network that exists. Without one, a small one is made. */
export interface ExistingNetwork {
  readonly vpcId: string;
  readonly subnetIds: string[];
  readonly availabilityZones: string[];
  readonly securityGroupId?: string;
  /** Whether tasks get a public address: needed in public subnets, wrong behind a NAT gateway. */
  readonly publicIp: boolean;
}

/** Buckets and queues that exist, by name or ARN. What is left out is made. */
export interface Existing {
  readonly listBucket?: string;
  readonly sourcesBucket?: string;
  readonly recordsBucket?: string;
  readonly imagesBucket?: string;
  readonly workerBucket?: string;
  readonly processSourceBucket?: string;
  readonly processCacheBucket?: string;
  readonly fleetBucket?: string;
  readonly queueArn?: string;
  readonly deadLetterQueueArn?: string;
}

/** How the queue worker's service grows and shrinks. */
export interface Workers {
  readonly minimum: number;
  readonly maximum: number;
  /** Messages waiting for each task that the service aims at. */
  readonly backlogPerTask: number;
  /** Whether tasks beyond the first may be on Spot capacity. */
  readonly spot: boolean;
}

/** The handlers' code: a zip file that was built, or an image in a registry of this account. */
export type HandlerCode =
  | { readonly kind: "zip"; readonly file: string }
  | { readonly kind: "image"; readonly repository: string; readonly tag: string };

export interface Settings {
  readonly systems: readonly System[];
  readonly network?: ExistingNetwork;
  readonly existing: Existing;
  /** `repository:tag` in this account's registry, or a whole name with its registry's host. */
  readonly image: string;
  /** The same for the image with a baked go-iiif configuration. */
  readonly processImage: string;
  readonly handlers: HandlerCode;
  readonly workers: Workers;
  readonly logDays: number;
  readonly alarmEmail?: string;
  /** Buckets and repositories go away with their stacks. For trials only. */
  readonly disposable: boolean;
  /** Queues that the worker may send messages on to (`redirect_queue`), by name; `*` stands for any. */
  readonly redirectQueues: string[];
  /** Buckets, by name, whose objects the fleet may read besides those of its own bucket. */
  readonly fleetSources: string[];
  /** Rows that one invocation of the Distributed Map works on, and how many invocations may run at once. */
  readonly mapBatch: number;
  readonly mapConcurrency: number;
  /** The `imgmill run` arguments of handlers that make derivatives. */
  readonly runArguments: string;
}

const KNOWN = new Set([
  "systems", "vpcId", "subnetIds", "availabilityZones", "securityGroupId", "publicIp",
  "listBucket", "sourcesBucket", "recordsBucket", "imagesBucket", "workerBucket", "processSourceBucket",
  "processCacheBucket", "fleetBucket", "queueArn", "deadLetterQueueArn",
  "image", "processImage", "lambdaZip", "lambdaImage",
  "workersMinimum", "workersMaximum", "backlogPerTask", "spot", "redirectQueues",
  "logDays", "alarmEmail", "disposable", "mapBatch", "mapConcurrency", "fleetSources", "runArguments",
]);

/** Reads the settings of `app`, or throws one sentence that says what is wrong and what to do. */
export function readSettings(app: App): Settings {
  refuseUnknown(app);
  const words = (name: string) => text(app, name)?.split(",").map((word) => word.trim()).filter(Boolean) ?? [];
  return {
    systems: systems(words("systems")),
    network: network(app, words),
    existing: existing(app),
    image: text(app, "image") ?? "imgmill:0.1.0",
    processImage: text(app, "processImage") ?? "go-iiif-process-ecs:0.0.1",
    // Asked for only by systems with functions, so that the others need no zip.
    get handlers() {
      return handlers(app);
    },
    workers: workers(app),
    logDays: count(app, "logDays", 30, 1),
    alarmEmail: text(app, "alarmEmail"),
    disposable: yes(app, "disposable", false),
    redirectQueues: text(app, "redirectQueues") === undefined ? ["ChannelImages", "EpisodeImages"] : words("redirectQueues"),
    fleetSources: words("fleetSources"),
    mapBatch: count(app, "mapBatch", 50, 1),
    mapConcurrency: count(app, "mapConcurrency", 200, 1),
    runArguments: text(app, "runArguments") ?? "",
  };
}

/** A typing error in `-c` would otherwise make a new bucket in silence. The CDK's own keys hold a colon or a slash. */
function refuseUnknown(app: App): void {
  const given: Record<string, unknown> = app.node.getAllContext();
  const unknown = Object.keys(given).filter((name) => !KNOWN.has(name) && !/[:/]/.test(name) && !/^(aws-cdk|cdk)/.test(name));
  if (unknown.length > 0) {
    throw new Error(`unknown context: ${unknown.join(", ")}; known are ${[...KNOWN].sort().join(", ")}`);
  }
}

function systems(named: string[]): readonly System[] {
  for (const name of named) {
    if (!(SYSTEMS as readonly string[]).includes(name)) {
      throw new Error(`systems: there is no ${JSON.stringify(name)}; choose among ${SYSTEMS.join(", ")}`);
    }
  }
  return named.length === 0 ? SYSTEMS : (named as System[]);
}

function network(app: App, words: (name: string) => string[]): ExistingNetwork | undefined {
  const vpcId = text(app, "vpcId");
  if (vpcId === undefined) {
    return undefined;
  }
  const subnetIds = words("subnetIds");
  const availabilityZones = words("availabilityZones");
  if (subnetIds.length === 0 || subnetIds.length !== availabilityZones.length) {
    throw new Error("vpcId wants subnetIds and availabilityZones beside it: two lists of the same length, separated by commas");
  }
  return { vpcId, subnetIds, availabilityZones, securityGroupId: text(app, "securityGroupId"), publicIp: yes(app, "publicIp", true) };
}

function existing(app: App): Existing {
  const found: Existing = {
    listBucket: text(app, "listBucket"),
    sourcesBucket: text(app, "sourcesBucket"),
    recordsBucket: text(app, "recordsBucket"),
    imagesBucket: text(app, "imagesBucket"),
    workerBucket: text(app, "workerBucket"),
    processSourceBucket: text(app, "processSourceBucket"),
    processCacheBucket: text(app, "processCacheBucket"),
    fleetBucket: text(app, "fleetBucket"),
    queueArn: text(app, "queueArn"),
    deadLetterQueueArn: text(app, "deadLetterQueueArn"),
  };
  for (const name of ["queueArn", "deadLetterQueueArn"] as const) {
    const arn = found[name];
    if (arn !== undefined && !/^arn:[\w-]+:sqs:[\w-]+:\d{12}:[\w.-]+$/.test(arn)) {
      throw new Error(`${name}: ${JSON.stringify(arn)} is no queue's ARN, such as arn:aws:sqs:us-east-2:123456789012:ImageQueue.fifo`);
    }
  }
  return found;
}

function handlers(app: App): HandlerCode {
  const image = text(app, "lambdaImage");
  if (image !== undefined) {
    const [repository, tag, ...rest] = image.split(":");
    if (!repository || !tag || rest.length > 0 || repository.includes(".")) {
      throw new Error(`lambdaImage: ${JSON.stringify(image)} should be REPOSITORY:TAG in this account's registry`);
    }
    return { kind: "image", repository, tag };
  }
  const file = path.resolve(text(app, "lambdaZip") ?? path.join(__dirname, "../../../../process-task.zip"));
  if (!fs.existsSync(file)) {
    throw new Error(`lambdaZip: ${file} is not there; build it with \`make lambda-process\`, name another with -c lambdaZip=FILE, or have the handlers run an image with -c lambdaImage=REPOSITORY:TAG`);
  }
  return { kind: "zip", file };
}

function workers(app: App): Workers {
  const found = {
    minimum: count(app, "workersMinimum", 1, 1),
    maximum: count(app, "workersMaximum", 20, 1),
    backlogPerTask: count(app, "backlogPerTask", 600, 1),
    spot: yes(app, "spot", true),
  };
  if (found.minimum > found.maximum) {
    throw new Error(`workersMinimum (${found.minimum}) is more than workersMaximum (${found.maximum})`);
  }
  return found;
}

function text(app: App, name: string): string | undefined {
  const value: unknown = app.node.tryGetContext(name);
  if (value === undefined || value === null || value === "") {
    return undefined;
  }
  return Array.isArray(value) ? value.join(",") : String(value);
}

function count(app: App, name: string, standard: number, least: number): number {
  const written = text(app, name);
  const value = written === undefined ? standard : Number(written);
  if (!Number.isInteger(value) || value < least) {
    throw new Error(`${name}: ${JSON.stringify(written)} should be a whole number of at least ${least}`);
  }
  return value;
}

function yes(app: App, name: string, standard: boolean): boolean {
  const written = text(app, name);
  if (written !== undefined && written !== "true" && written !== "false") {
    throw new Error(`${name}: ${JSON.stringify(written)} should be true or false`);
  }
  return written === undefined ? standard : written === "true";
}
