// go-iiif-aws: `iiif-process` as a Fargate task, a Lambda function that starts it for objects that are put, and one that says
// what became of it. The names are those of its document.

import { CfnOutput, Duration, Stack, type StackProps } from "aws-cdk-lib";
import * as ecs from "aws-cdk-lib/aws-ecs";
import * as iam from "aws-cdk-lib/aws-iam";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import type { ILogGroup } from "aws-cdk-lib/aws-logs";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";
import { allow, bucket } from "../parts/buckets";
import { failedEvents, onObjectCreated, onTaskStopped } from "../parts/events";
import { handler } from "../parts/handler";
import { task, type Task } from "../parts/task";
import type { Settings } from "../settings";
import type { BaseStack } from "./base";

export const NAME = "go-iiif-process-ecs";
/** Where lists of URIs lie that are too long for a task's command line, and what is told of tasks that ended. */
const LISTS = ".imgmill/uris/";
const REPORTS = ".imgmill/tasks/";

export class ProcessStack extends Stack {
  constructor(scope: Construct, id: string, base: BaseStack, settings: Settings, props?: StackProps) {
    super(scope, id, { description: "imgmill: IIIF derivatives by iiif-process tasks, as go-iiif-aws makes them", ...props });
    const { existing, disposable } = settings;
    const sources = bucket(this, "Sources", { existing: existing.processSourceBucket, disposable, events: true });
    const cache = bucket(this, "Derivatives", { existing: existing.processCacheBucket, disposable, expiring: { [LISTS]: 7, [REPORTS]: 90 } });
    const cluster = new ecs.Cluster(this, "Cluster", { vpc: base.network.vpc });
    const { definition, log } = this.task(settings, sources, cache);
    const start = this.start(base, settings, sources, cache, cluster, definition);
    this.report(settings, cache, cluster);
    this.operator(definition, log, cluster, start, cache);
    new CfnOutput(this, "ClusterName", { value: cluster.clusterName, description: "-cluster" });
    new CfnOutput(this, "TaskDefinition", { value: definition.taskDefinitionArn, description: "-task" });
    new CfnOutput(this, "FunctionName", { value: start.functionName, description: "-lambda-func" });
    new CfnOutput(this, "SourcesBucket", { value: sources.bucketName });
    new CfnOutput(this, "DerivativesBucket", { value: cache.bucketName });
  }

  private task(settings: Settings, sources: IBucket, cache: IBucket): Task {
    const made = task(this, "Process", {
      name: NAME,
      image: settings.processImage,
      command: ["/bin/iiif-process", "-help"],
      environment: { AWS_REGION: this.region },
      cpu: 2048,
      memoryMiB: 4096,
      logDays: settings.logDays,
    });
    allow(made.definition.taskRole, sources, ["look", "read"]);
    allow(made.definition.taskRole, cache, ["look", "read", "write"]);
    return made;
  }

  private start(base: BaseStack, settings: Settings, sources: IBucket, cache: IBucket, cluster: ecs.ICluster, definition: ecs.FargateTaskDefinition): IFunction {
    const failed = failedEvents(this, "FailedEvents", base.topic);
    const start = handler(this, "Start", {
      kind: "ecs",
      description: "Starts an iiif-process task for images that were put; answers with the task's ARN and waits for nothing",
      code: settings.handlers,
      environment: {
        IIIF_PROCESS_MODE: "lambda",
        IIIF_PROCESS_ECS_DSN: `region=${this.region} credentials=iam:`,
        IIIF_PROCESS_CLUSTER: cluster.clusterName,
        IIIF_PROCESS_CONTAINER: NAME,
        IIIF_PROCESS_TASK: definition.taskDefinitionArn,
        IIIF_PROCESS_SUBNET: base.network.subnets.map((subnet) => subnet.subnetId).join(","),
        IIIF_PROCESS_SECURITY_GROUP: base.network.securityGroup.securityGroupId,
        IIIF_PROCESS_STRIP_PATHS: "false",
        IIIF_PROCESS_UPLOAD_URIS: `s3://${cache.bucketName}/${LISTS}`,
      },
      memoryMiB: 256,
      timeout: Duration.seconds(60),
      failed,
      logDays: settings.logDays,
    });
    start.addToRolePolicy(runTask(definition, cluster));
    start.addToRolePolicy(passRoles(definition));
    allow(start, cache, ["write"], LISTS);
    onObjectCreated(this, "ObjectPut", sources, start, failed);
    return start;
  }

  private report(settings: Settings, cache: IBucket, cluster: ecs.ICluster): void {
    const report = handler(this, "Report", {
      kind: "report",
      description: "Says what became of a task: exit code, why it stopped, how long it took",
      code: settings.handlers,
      environment: { IMGMILL_REPORT_STORE: `s3://${cache.bucketName}/${REPORTS}` },
      memoryMiB: 256,
      timeout: Duration.seconds(60),
      logDays: settings.logDays,
    });
    allow(report, cache, ["write"], REPORTS);
    onTaskStopped(this, "TaskStopped", cluster, report);
  }

  /** For those who type `iiif-process-ecs`: all three modes, with -wait, -logs and -stop-on-interrupt. */
  private operator(definition: ecs.FargateTaskDefinition, log: ILogGroup, cluster: ecs.ICluster, start: IFunction, cache: IBucket): void {
    const ofCluster = { ArnEquals: { "ecs:cluster": cluster.clusterArn } };
    const policy = new iam.ManagedPolicy(this, "Operator", {
      description: "What iiif-process-ecs needs in the modes task and invoke",
      statements: [
        runTask(definition, cluster),
        passRoles(definition),
        new iam.PolicyStatement({ actions: ["ecs:DescribeTasks", "ecs:StopTask"], resources: ["*"], conditions: ofCluster }),
        // Where the task logs to; it knows no resources.
        new iam.PolicyStatement({ actions: ["ecs:DescribeTaskDefinition"], resources: ["*"] }),
        new iam.PolicyStatement({ actions: ["logs:GetLogEvents", "logs:FilterLogEvents"], resources: [log.logGroupArn] }),
        new iam.PolicyStatement({ actions: ["lambda:InvokeFunction"], resources: [start.functionArn] }),
        new iam.PolicyStatement({ actions: ["s3:PutObject"], resources: [cache.arnForObjects(`${LISTS}*`)] }),
      ],
    });
    new CfnOutput(this, "OperatorPolicy", { value: policy.managedPolicyArn });
  }
}

/** Any revision of the definition, on this cluster alone. */
export function runTask(definition: ecs.FargateTaskDefinition, cluster: ecs.ICluster): iam.PolicyStatement {
  return new iam.PolicyStatement({
    actions: ["ecs:RunTask"],
    resources: [Stack.of(definition).formatArn({ service: "ecs", resource: "task-definition", resourceName: `${definition.family}:*` })],
    conditions: { ArnEquals: { "ecs:cluster": cluster.clusterArn } },
  });
}

export function passRoles(definition: ecs.FargateTaskDefinition): iam.PolicyStatement {
  return new iam.PolicyStatement({
    actions: ["iam:PassRole"],
    resources: [definition.taskRole.roleArn, definition.obtainExecutionRole().roleArn],
    conditions: { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } },
  });
}
