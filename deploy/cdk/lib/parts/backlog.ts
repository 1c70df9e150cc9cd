// Scaling on backlog per task: messages that wait, divided by tasks that run. Queue length by itself says nothing, since a
// thousand messages are much for one task and nothing for twenty.

import type { FargateService } from "aws-cdk-lib/aws-ecs";
import * as scaling from "aws-cdk-lib/aws-applicationautoscaling";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import type { Workers } from "../settings";

export function scaleOnBacklog(service: FargateService, queue: IQueue, workers: Workers): void {
  const target = service.autoScaleTaskCount({ minCapacity: workers.minimum, maxCapacity: workers.maximum });
  // The CDK's own method takes no metric math, so this is the plain resource.
  const policy = new scaling.CfnScalingPolicy(service, "BacklogPerTask", {
    policyName: `${service.node.path.replace(/\W+/g, "-")}-backlog`,
    policyType: "TargetTrackingScaling",
    serviceNamespace: "ecs",
    scalableDimension: "ecs:service:DesiredCount",
    resourceId: `service/${service.cluster.clusterName}/${service.serviceName}`,
    targetTrackingScalingPolicyConfiguration: {
      targetValue: workers.backlogPerTask,
      scaleOutCooldown: 60,
      // A task that is stopped gives back what it had; so do not hurry to stop one.
      scaleInCooldown: 300,
      customizedMetricSpecification: { metrics: metrics(service, queue) },
    },
  });
  policy.node.addDependency(target);
}

function metrics(service: FargateService, queue: IQueue): scaling.CfnScalingPolicy.TargetTrackingMetricDataQueryProperty[] {
  return [
    {
      id: "waiting",
      label: "Messages that wait",
      metricStat: {
        metric: {
          namespace: "AWS/SQS",
          metricName: "ApproximateNumberOfMessagesVisible",
          dimensions: [{ name: "QueueName", value: queue.queueName }],
        },
        stat: "Maximum",
      },
      returnData: false,
    },
    {
      // Each task reports its CPU once a minute, so the number of reports is the number of tasks. It costs nothing, unlike
      // the same number from Container Insights.
      id: "tasks",
      label: "Tasks that run",
      metricStat: {
        metric: {
          namespace: "AWS/ECS",
          metricName: "CPUUtilization",
          dimensions: [
            { name: "ClusterName", value: service.cluster.clusterName },
            { name: "ServiceName", value: service.serviceName },
          ],
        },
        stat: "SampleCount",
      },
      returnData: false,
    },
    {
      id: "backlog",
      label: "Messages that wait for each task",
      // Before the first report there is a task all the same: the service never has less.
      expression: "waiting / IF(FILL(tasks, 1) > 0, FILL(tasks, 1), 1)",
      returnData: true,
    },
  ];
}
