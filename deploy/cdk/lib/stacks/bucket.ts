// Bucket to pyramids: every object that is put becomes a record (Lambda), and once a day a task makes pyramids of what is
// recorded. Failures of either are told of.

import { CfnOutput, Duration, Stack, TimeZone, type StackProps } from "aws-cdk-lib";
import { SubnetType } from "aws-cdk-lib/aws-ec2";
import * as ecs from "aws-cdk-lib/aws-ecs";
import { Schedule, ScheduleExpression } from "aws-cdk-lib/aws-scheduler";
import { EcsRunFargateTask } from "aws-cdk-lib/aws-scheduler-targets";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";
import { allow, bucket } from "../parts/buckets";
import { alarm, failedEvents, onObjectCreated, onTaskFailed } from "../parts/events";
import { handler } from "../parts/handler";
import { task } from "../parts/task";
import type { Settings } from "../settings";
import type { BaseStack } from "./base";

export class BucketStack extends Stack {
  constructor(scope: Construct, id: string, base: BaseStack, settings: Settings, props?: StackProps) {
    super(scope, id, { description: "imgmill: images put into a bucket become pyramid TIFFs in another", ...props });
    const { existing, disposable } = settings;
    const sources = bucket(this, "Sources", { existing: existing.sourcesBucket, disposable, events: true });
    const records = bucket(this, "Records", { existing: existing.recordsBucket, disposable });
    const images = bucket(this, "Images", { existing: existing.imagesBucket, disposable });
    this.record(base, settings, sources, records);
    const cluster = new ecs.Cluster(this, "Cluster", { vpc: base.network.vpc });
    const drain = this.drain(settings, sources, records, images);
    this.daily(base, cluster, drain);
    // 3 says that some images failed; they are tried again the next day, and `imgmill bucket status` says which.
    onTaskFailed(this, "DrainFailed", cluster, [0, 3], base.topic);
    this.outputs({ sources, records, images }, cluster, drain);
  }

  private record(base: BaseStack, settings: Settings, sources: IBucket, records: IBucket): void {
    const failed = failedEvents(this, "FailedEvents", base.topic);
    const record = handler(this, "Record", {
      kind: "record",
      description: "Notes in the process bucket what was put into the bucket of sources",
      code: settings.handlers,
      environment: { RBSC_BUCKET: sources.bucketName, PROCESS_BUCKET: records.bucketName },
      memoryMiB: 256,
      timeout: Duration.seconds(60),
      failed,
      logDays: settings.logDays,
    });
    allow(record, records, ["look", "read", "write"]);
    onObjectCreated(this, "ObjectPut", sources, record, failed);
    alarm(this, "RecordErrors", base.topic, {
      metric: record.metricErrors({ period: Duration.minutes(5), statistic: "Sum" }),
      threshold: 5,
      says: "The record handler fails; the events are tried again for hours, then they lie in the queue of failed events",
    });
  }

  private drain(settings: Settings, sources: IBucket, records: IBucket, images: IBucket): ecs.FargateTaskDefinition {
    const { definition: drain } = task(this, "Drain", {
      name: "imgmill-drain",
      image: settings.image,
      command: ["/bin/imgmill", "bucket", "drain", "--log-format", "json"],
      environment: { RBSC_BUCKET: sources.bucketName, PROCESS_BUCKET: records.bucketName, IMAGE_BUCKET: images.bucketName },
      cpu: 4096,
      memoryMiB: 8192,
      diskGiB: 100,
      logDays: settings.logDays,
    });
    allow(drain.taskRole, sources, ["look", "read"]);
    allow(drain.taskRole, records, ["look", "read", "write", "remove"]);
    allow(drain.taskRole, images, ["look", "read", "write"]);
    return drain;
  }

  /** 5:30 in New York, in summer as in winter. */
  private daily(base: BaseStack, cluster: ecs.ICluster, drain: ecs.FargateTaskDefinition): void {
    new Schedule(this, "Daily", {
      description: "Pyramids of all that was recorded",
      schedule: ScheduleExpression.cron({ minute: "30", hour: "5", timeZone: TimeZone.AMERICA_NEW_YORK }),
      target: new EcsRunFargateTask(cluster, {
        taskDefinition: drain,
        assignPublicIp: base.network.publicIp,
        vpcSubnets: { subnetType: SubnetType.PUBLIC },
        securityGroups: [base.network.securityGroup],
      }),
    });
  }

  private outputs(buckets: Record<string, IBucket>, cluster: ecs.ICluster, drain: ecs.ITaskDefinition): void {
    new CfnOutput(this, "SourcesBucket", { value: buckets.sources!.bucketName, description: "RBSC_BUCKET" });
    new CfnOutput(this, "RecordsBucket", { value: buckets.records!.bucketName, description: "PROCESS_BUCKET" });
    new CfnOutput(this, "ImagesBucket", { value: buckets.images!.bucketName, description: "IMAGE_BUCKET" });
    // For `imgmill bucket drain --now`, with Subnets and SecurityGroup of the base stack.
    new CfnOutput(this, "DrainTask", { value: drain.taskDefinitionArn, description: "IMGMILL_DRAIN_TASK" });
    new CfnOutput(this, "DrainCluster", { value: cluster.clusterName, description: "IMGMILL_DRAIN_CLUSTER" });
  }
}
