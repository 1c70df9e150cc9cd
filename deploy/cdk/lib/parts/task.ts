// A Fargate task of one container: its two roles with nothing but what is granted, its log group, and time to stop in.

import { Duration } from "aws-cdk-lib";
import * as ecs from "aws-cdk-lib/aws-ecs";
import * as iam from "aws-cdk-lib/aws-iam";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { containerImage } from "./image";
import { logGroup } from "./logs";

export interface TaskWishes {
  readonly image: string;
  readonly command?: string[];
  readonly environment?: Record<string, string>;
  readonly secrets?: Record<string, ecs.Secret>;
  readonly cpu: number;
  readonly memoryMiB: number;
  /** Of the task's disk, where sources and scratch files lie; 20 are free of charge. */
  readonly diskGiB?: number;
  readonly logDays: number;
  /** The name of the container and of the task definition's family. */
  readonly name: string;
}

export interface Task {
  readonly definition: ecs.FargateTaskDefinition;
  readonly log: LogGroup;
}

export function task(scope: Construct, id: string, wishes: TaskWishes): Task {
  const log = logGroup(scope, `${id}Log`, wishes.logDays);
  const principal = new iam.ServicePrincipal("ecs-tasks.amazonaws.com");
  const definition = new ecs.FargateTaskDefinition(scope, id, {
    family: wishes.name,
    cpu: wishes.cpu,
    memoryLimitMiB: wishes.memoryMiB,
    ephemeralStorageGiB: wishes.diskGiB,
    runtimePlatform: { cpuArchitecture: ecs.CpuArchitecture.X86_64, operatingSystemFamily: ecs.OperatingSystemFamily.LINUX },
    taskRole: new iam.Role(scope, `${id}Role`, { assumedBy: principal, description: `What ${wishes.name} itself may do` }),
    executionRole: new iam.Role(scope, `${id}ExecutionRole`, {
      assumedBy: principal,
      description: `What starting ${wishes.name} takes: its image, its log and its secrets`,
    }),
  });
  definition.addContainer("Container", {
    containerName: wishes.name,
    image: containerImage(scope, `${id}Image`, wishes.image),
    // All of the task's, said of the container too, since imgmill takes its own limit from there.
    memoryLimitMiB: wishes.memoryMiB,
    command: wishes.command,
    environment: wishes.environment,
    secrets: wishes.secrets,
    logging: ecs.LogDrivers.awsLogs({
      logGroup: log,
      streamPrefix: wishes.name,
      // A slow log must not hold up images: lines wait in memory, and past that they are dropped.
      mode: ecs.AwsLogDriverMode.NON_BLOCKING,
    }),
    // As long as Fargate allows, which is also the warning that Spot gives.
    stopTimeout: Duration.seconds(120),
    // Derive processes that outlive their parent for a moment find somebody to wait for them.
    linuxParameters: new ecs.LinuxParameters(scope, `${id}Linux`, { initProcessEnabled: true }),
  });
  return { definition, log };
}
