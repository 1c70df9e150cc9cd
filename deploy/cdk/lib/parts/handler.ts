// A Lambda function that runs `imgmill lambda` with one of its handlers: from the zip or from an image, with a role that may
// write its own log and nothing else until it is granted.

import { Duration, Size } from "aws-cdk-lib";
import * as ecr from "aws-cdk-lib/aws-ecr";
import * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";
import type { HandlerCode } from "../settings";
import { logGroup } from "./logs";

/** The values of `IMGMILL_HANDLER` that are deployed here. */
export type HandlerKind = "record" | "ecs" | "map" | "batch" | "report";

export interface HandlerWishes {
  readonly kind: HandlerKind;
  readonly description: string;
  readonly code: HandlerCode;
  readonly environment?: Record<string, string>;
  readonly memoryMiB: number;
  readonly timeout: Duration;
  /** Of `/tmp`, in MiB; 512 are free of charge. */
  readonly diskMiB?: number;
  /** Where events go that were tried in vain. */
  readonly failed?: IQueue;
  readonly logDays: number;
}

export function handler(scope: Construct, id: string, wishes: HandlerWishes): lambda.Function {
  const log = logGroup(scope, `${id}Log`, wishes.logDays);
  const role = new iam.Role(scope, `${id}Role`, {
    assumedBy: new iam.ServicePrincipal("lambda.amazonaws.com"),
    description: `What the handler ${wishes.kind} may do`,
  });
  log.grantWrite(role);
  return new lambda.Function(scope, id, {
    ...code(scope, `${id}Image`, wishes.code),
    description: wishes.description,
    environment: { IMGMILL_HANDLER: wishes.kind, ...wishes.environment },
    memorySize: wishes.memoryMiB,
    timeout: wishes.timeout,
    ephemeralStorageSize: wishes.diskMiB === undefined ? undefined : Size.mebibytes(wishes.diskMiB),
    architecture: lambda.Architecture.X86_64,
    logGroup: log,
    role,
    deadLetterQueue: wishes.failed,
  });
}

function code(scope: Construct, id: string, of: HandlerCode): Pick<lambda.FunctionProps, "code" | "handler" | "runtime"> {
  if (of.kind === "zip") {
    return { code: lambda.Code.fromAsset(of.file), handler: "bootstrap", runtime: lambda.Runtime.PROVIDED_AL2023 };
  }
  const repository = ecr.Repository.fromRepositoryName(scope, id, of.repository);
  return {
    code: lambda.Code.fromEcrImage(repository, { tagOrDigest: of.tag, entrypoint: ["/bin/imgmill"], cmd: ["lambda"] }),
    handler: lambda.Handler.FROM_IMAGE,
    runtime: lambda.Runtime.FROM_IMAGE,
  };
}
