// Events and alarms: S3's objects to a handler, tasks that ended, and who hears of what went wrong.

import { Duration, Stack } from "aws-cdk-lib";
import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import type { ICluster } from "aws-cdk-lib/aws-ecs";
import * as events from "aws-cdk-lib/aws-events";
import * as targets from "aws-cdk-lib/aws-events-targets";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import * as sqs from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";

/** A queue for events that no handler could take: kept for as long as SQS keeps anything, and watched. */
export function failedEvents(scope: Construct, id: string, topic: ITopic): sqs.Queue {
  const queue = new sqs.Queue(scope, id, {
    encryption: sqs.QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: Duration.days(14),
  });
  alarm(scope, `${id}Alarm`, topic, {
    metric: queue.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(5), statistic: "Maximum" }),
    threshold: 1,
    says: "Events were tried in vain and lie in a queue: look at the handler's log, then redrive them",
  });
  return queue;
}

/** Every object that is put into `bucket` goes to `to`. */
export function onObjectCreated(scope: Construct, id: string, bucket: IBucket, to: IFunction, failed: sqs.IQueue): events.Rule {
  return new events.Rule(scope, id, {
    description: "Objects that were put, to the handler that hears of them",
    eventPattern: { source: ["aws.s3"], detailType: ["Object Created"], detail: { bucket: { name: [bucket.bucketName] } } },
    targets: [new targets.LambdaFunction(to, { deadLetterQueue: failed, maxEventAge: Duration.hours(24), retryAttempts: 185 })],
  });
}

/** Every task of `cluster` that stopped goes to `to`. */
export function onTaskStopped(scope: Construct, id: string, cluster: ICluster, to: IFunction): events.Rule {
  return new events.Rule(scope, id, {
    description: "Tasks that ended, to the handler that says what became of them",
    eventPattern: {
      source: ["aws.ecs"],
      detailType: ["ECS Task State Change"],
      detail: { clusterArn: [cluster.clusterArn], lastStatus: ["STOPPED"] },
    },
    targets: [new targets.LambdaFunction(to)],
  });
}

/** Tells the topic of tasks that could not start, or ended otherwise than `expected`. */
export function onTaskFailed(scope: Construct, id: string, cluster: ICluster, expected: number[], topic: ITopic): events.Rule {
  return new events.Rule(scope, id, {
    description: "Tasks that failed, to those who want to know",
    eventPattern: {
      source: ["aws.ecs"],
      detailType: ["ECS Task State Change"],
      detail: {
        clusterArn: [cluster.clusterArn],
        lastStatus: ["STOPPED"],
        $or: [{ containers: { exitCode: [{ "anything-but": expected }] } }, { stopCode: ["TaskFailedToStart"] }],
      },
    },
    targets: [new targets.SnsTopic(topic)],
  });
}

export interface AlarmWishes {
  readonly metric: cloudwatch.IMetric;
  readonly threshold: number;
  readonly periods?: number;
  /** What it means and what to do. */
  readonly says: string;
}

/** Tells the topic when `metric` is at `threshold` or above, and when it no longer is. */
export function alarm(scope: Construct, id: string, topic: ITopic, wishes: AlarmWishes): cloudwatch.Alarm {
  const made = new cloudwatch.Alarm(scope, id, {
    metric: wishes.metric,
    threshold: wishes.threshold,
    evaluationPeriods: wishes.periods ?? 1,
    comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
    alarmDescription: `${Stack.of(scope).stackName}: ${wishes.says}`,
  });
  made.addAlarmAction(new SnsAction(topic));
  made.addOkAction(new SnsAction(topic));
  return made;
}
