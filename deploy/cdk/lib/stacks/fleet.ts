// A list larger than one machine: a Distributed Map over it, S3 Batch Operations over an inventory, and tasks that each take
// a shard (`imgmill dispatch --engine ecs`, deploy/batch). All read lists from one bucket and store into it.

import { CfnOutput, Duration, Stack, type StackProps } from "aws-cdk-lib";
import * as ecs from "aws-cdk-lib/aws-ecs";
import * as iam from "aws-cdk-lib/aws-iam";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { Bucket, type IBucket } from "aws-cdk-lib/aws-s3";
import type { StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import type { Construct } from "constructs";
import { allow, bucket } from "../parts/buckets";
import { alarm } from "../parts/events";
import { handler, type HandlerKind } from "../parts/handler";
import { distributedMap, ofMachine } from "../parts/map";
import { task } from "../parts/task";
import type { Settings } from "../settings";
import type { BaseStack } from "./base";
import { passRoles, runTask } from "./process";

const RUNS = "runs/";

export class FleetStack extends Stack {
  private readonly sources: IBucket[];

  constructor(scope: Construct, id: string, base: BaseStack, settings: Settings, props?: StackProps) {
    super(scope, id, { description: "imgmill: lists that are larger than one machine", ...props });
    const work = bucket(this, "Work", { existing: settings.existing.fleetBucket, disposable: settings.disposable, expiring: { [RUNS]: 90 } });
    this.sources = settings.fleetSources.map((name) => Bucket.fromBucketName(this, `Source-${name}`, name));
    const machine = distributedMap(this, "Map", {
      handler: this.maker("map", "MapHandler", "Makes derivatives of a batch of rows of a Distributed Map", settings, work),
      work,
      batch: settings.mapBatch,
      concurrency: settings.mapConcurrency,
      logDays: settings.logDays,
    });
    alarm(this, "MapFailed", base.topic, {
      metric: machine.metricFailed({ period: Duration.minutes(5), statistic: "Sum" }),
      threshold: 1,
      says: "A run over a list failed: its map run says which batches; mend the cause, then redrive the execution",
    });
    const batch = this.maker("batch", "BatchHandler", "Makes derivatives of one object of an S3 Batch Operations job", settings, work);
    this.batchOperations(batch, work);
    this.shards(base, settings, work, machine);
    new CfnOutput(this, "WorkBucket", { value: work.bucketName });
    new CfnOutput(this, "StateMachine", { value: machine.stateMachineArn, description: "--state-machine" });
  }

  /** A function that makes derivatives. Lambda gives CPU by memory: at 1,769 MiB it is one whole core. */
  private maker(kind: HandlerKind, id: string, description: string, settings: Settings, work: IBucket): IFunction {
    const made = handler(this, id, {
      kind,
      description,
      code: settings.handlers,
      environment: { S3_BUCKET: work.bucketName, IMGMILL_ARGUMENTS: settings.runArguments },
      memoryMiB: 1769,
      timeout: Duration.minutes(15),
      diskMiB: 2048,
      logDays: settings.logDays,
    });
    this.mayStore(made, work);
    return made;
  }

  /** Lists and derivatives lie in the bucket of the stack; sources may be read from others too. */
  private mayStore(grantee: iam.IGrantable, work: IBucket): void {
    allow(grantee, work, ["look", "read", "write"]);
    for (const source of this.sources) {
      allow(grantee, source, ["look", "read"]);
    }
  }

  /** The role that a job of S3 Batch Operations takes: it reads the manifest, invokes the handler, writes the report. */
  private batchOperations(batch: IFunction, work: IBucket): void {
    const role = new iam.Role(this, "BatchOperationsRole", {
      assumedBy: new iam.ServicePrincipal("batchoperations.s3.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": this.account } },
      }),
      description: "What S3 Batch Operations may do for imgmill",
    });
    role.addToPolicy(new iam.PolicyStatement({ actions: ["lambda:InvokeFunction"], resources: [batch.functionArn, `${batch.functionArn}:*`] }));
    role.addToPolicy(new iam.PolicyStatement({ actions: ["s3:GetObject", "s3:GetObjectVersion"], resources: [work.arnForObjects("*")] }));
    allow(role, work, ["write"], RUNS);
    new CfnOutput(this, "BatchOperationsRoleArn", { value: role.roleArn });
    new CfnOutput(this, "BatchHandlerArn", { value: batch.functionArn });
  }

  private shards(base: BaseStack, settings: Settings, work: IBucket, machine: StateMachine): void {
    const cluster = new ecs.Cluster(this, "Cluster", { vpc: base.network.vpc, enableFargateCapacityProviders: true });
    const { definition, log } = task(this, "Run", {
      name: "imgmill-run",
      image: settings.image,
      command: ["/bin/imgmill", "run", "--help"],
      environment: { S3_BUCKET: work.bucketName, AWS_REGION: this.region },
      cpu: 2048,
      memoryMiB: 4096,
      logDays: settings.logDays,
    });
    this.mayStore(definition.taskRole, work);
    const policy = new iam.ManagedPolicy(this, "Dispatcher", {
      description: "What imgmill dispatch needs, with either engine",
      statements: [
        new iam.PolicyStatement({ actions: ["s3:ListBucket"], resources: [work.bucketArn] }),
        new iam.PolicyStatement({ actions: ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"], resources: [work.arnForObjects("*")] }),
        runTask(definition, cluster),
        passRoles(definition),
        new iam.PolicyStatement({ actions: ["ecs:DescribeTasks", "ecs:StopTask"], resources: ["*"], conditions: { ArnEquals: { "ecs:cluster": cluster.clusterArn } } }),
        new iam.PolicyStatement({ actions: ["ecs:DescribeTaskDefinition"], resources: ["*"] }),
        new iam.PolicyStatement({ actions: ["states:StartExecution"], resources: [machine.stateMachineArn] }),
        new iam.PolicyStatement({
          actions: ["states:DescribeExecution", "states:GetExecutionHistory", "states:ListMapRuns", "states:RedriveExecution", "states:StopExecution"],
          resources: [ofMachine(machine, "execution")],
        }),
        new iam.PolicyStatement({ actions: ["states:DescribeMapRun", "states:UpdateMapRun"], resources: [ofMachine(machine, "mapRun")] }),
        new iam.PolicyStatement({ actions: ["logs:GetLogEvents", "logs:FilterLogEvents"], resources: [log.logGroupArn] }),
      ],
    });
    new CfnOutput(this, "DispatcherPolicy", { value: policy.managedPolicyArn });
    new CfnOutput(this, "RunCluster", { value: cluster.clusterName });
    new CfnOutput(this, "RunTask", { value: definition.taskDefinitionArn });
    // For deploy/batch.
    new CfnOutput(this, "RunTaskRoleArn", { value: definition.taskRole.roleArn });
    new CfnOutput(this, "RunExecutionRoleArn", { value: definition.obtainExecutionRole().roleArn });
    new CfnOutput(this, "RunLogGroup", { value: log.logGroupName });
  }
}
