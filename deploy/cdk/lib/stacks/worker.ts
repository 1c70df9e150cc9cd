// The queue worker: a FIFO queue with its dead letters, and a Fargate service that grows and shrinks with the messages that
// wait for each of its tasks.

import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from "aws-cdk-lib";
import * as ecs from "aws-cdk-lib/aws-ecs";
import * as iam from "aws-cdk-lib/aws-iam";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import * as secretsmanager from "aws-cdk-lib/aws-secretsmanager";
import * as sqs from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";
import { scaleOnBacklog } from "../parts/backlog";
import { allow, bucket } from "../parts/buckets";
import { alarm, onTaskFailed } from "../parts/events";
import { task } from "../parts/task";
import type { Settings } from "../settings";
import type { BaseStack } from "./base";

/** Releases and dying workers cost receives too, so this is well above what a message itself should need. */
const MAXIMUM_RECEIVES = 10;

/** image-service's own name, so that its producers change the account in a URL and nothing else. */
const QUEUE = "ImageQueue.fifo";
const DEAD_LETTERS = "ImageQueueDeadLetters.fifo";

interface Queues {
  readonly queue: sqs.IQueue;
  readonly deadLetters: sqs.IQueue | undefined;
}

export class WorkerStack extends Stack {
  constructor(scope: Construct, id: string, base: BaseStack, settings: Settings, props?: StackProps) {
    super(scope, id, { description: "imgmill: images that messages of a queue name, resized and stored", ...props });
    const images = bucket(this, "Images", { existing: settings.existing.workerBucket, disposable: settings.disposable });
    const queues = this.queues(settings);
    const definition = this.worker(settings, queues.queue, images);
    const service = this.service(base, settings, definition, queues.queue);
    this.alarms(base, queues);
    new CfnOutput(this, "QueueUrl", { value: queues.queue.queueUrl, description: "QUEUE_URL" });
    new CfnOutput(this, "S3Bucket", { value: images.bucketName, description: "S3_BUCKET" });
    new CfnOutput(this, "ClusterName", { value: service.cluster.clusterName });
    new CfnOutput(this, "ServiceName", { value: service.serviceName });
  }

  private queues(settings: Settings): Queues {
    const { queueArn, deadLetterQueueArn } = settings.existing;
    const found = (id: string, arn: string) => sqs.Queue.fromQueueArn(this, id, arn);
    if (queueArn !== undefined) {
      const deadLetters = deadLetterQueueArn === undefined ? undefined : found("DeadLetters", deadLetterQueueArn);
      return { queue: found("Queue", queueArn), deadLetters };
    }
    const common = {
      fifo: true,
      contentBasedDeduplication: true,
      // Thousands of messages a second, in order within each group.
      deduplicationScope: sqs.DeduplicationScope.MESSAGE_GROUP,
      fifoThroughputLimit: sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
      removalPolicy: settings.disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
    };
    const deadLetters = deadLetterQueueArn === undefined ? new sqs.Queue(this, "DeadLetters", { ...common, queueName: DEAD_LETTERS }) : found("DeadLetters", deadLetterQueueArn);
    const queue = new sqs.Queue(this, "Queue", {
      ...common,
      queueName: QUEUE,
      // The worker extends it for as long as it works.
      visibilityTimeout: Duration.seconds(120),
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: MAXIMUM_RECEIVES },
    });
    return { queue, deadLetters };
  }

  private worker(settings: Settings, queue: sqs.IQueue, images: IBucket): ecs.FargateTaskDefinition {
    const signing = new secretsmanager.Secret(this, "PostbackSigningKey", {
      description: "What postbacks are signed with; receivers verify X-Imgmill-Signature with it",
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
    });
    const { definition } = task(this, "Worker", {
      name: "imgmill-worker",
      image: settings.image,
      command: ["/bin/imgmill", "worker", "--log-format", "json", "--grace", "100"],
      environment: { QUEUE_URL: queue.queueUrl, S3_BUCKET: images.bucketName, AWS_REGION: this.region },
      secrets: { POSTBACK_SIGNING_KEY: ecs.Secret.fromSecretsManager(signing) },
      cpu: 2048,
      memoryMiB: 4096,
      logDays: settings.logDays,
    });
    const may = (actions: string[], resources: string[]) =>
      definition.taskRole.addToPrincipalPolicy(new iam.PolicyStatement({ actions, resources }));
    may(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"], [queue.queueArn]);
    // ListQueues knows no resources. It is how `redirect_queue`, a name, becomes a URL.
    may(["sqs:ListQueues"], ["*"]);
    if (settings.redirectQueues.length > 0) {
      const names = settings.redirectQueues.flatMap((name) => (name === "*" || name.endsWith(".fifo") ? [name] : [name, `${name}.fifo`]));
      may(["sqs:SendMessage"], names.map((name) => this.formatArn({ service: "sqs", resource: name })));
    }
    allow(definition.taskRole, images, ["look", "read", "write"]);
    new CfnOutput(this, "SigningKey", { value: signing.secretArn });
    return definition;
  }

  private service(base: BaseStack, settings: Settings, taskDefinition: ecs.FargateTaskDefinition, queue: sqs.IQueue): ecs.FargateService {
    const { workers } = settings;
    const cluster = new ecs.Cluster(this, "Cluster", { vpc: base.network.vpc, enableFargateCapacityProviders: true });
    const service = new ecs.FargateService(this, "Service", {
      cluster,
      taskDefinition,
      desiredCount: workers.minimum,
      assignPublicIp: base.network.publicIp,
      vpcSubnets: { subnets: base.network.subnets },
      securityGroups: [base.network.securityGroup],
      capacityProviderStrategies: workers.spot
        ? [
            { capacityProvider: "FARGATE", base: workers.minimum, weight: 0 },
            { capacityProvider: "FARGATE_SPOT", weight: 1 },
          ]
        : [{ capacityProvider: "FARGATE", weight: 1 }],
      // Workers share a queue, so a new one may start before an old one ended, and the other way round.
      minHealthyPercent: 50,
      maxHealthyPercent: 200,
      circuitBreaker: { rollback: true },
      propagateTags: ecs.PropagatedTagSource.SERVICE,
    });
    scaleOnBacklog(service, queue, workers);
    // 143: told to stop, as by a deployment, by scaling in or by Spot.
    onTaskFailed(this, "WorkerFailed", cluster, [0, 143], base.topic);
    return service;
  }

  private alarms(base: BaseStack, { queue, deadLetters }: Queues): void {
    if (deadLetters !== undefined) {
      alarm(this, "DeadLettersAlarm", base.topic, {
        metric: deadLetters.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(5), statistic: "Maximum" }),
        threshold: 1,
        says: "There are dead letters: `imgmill worker redrive list` shows them",
      });
    }
    alarm(this, "OldMessagesAlarm", base.topic, {
      metric: queue.metricApproximateAgeOfOldestMessage({ period: Duration.minutes(5), statistic: "Maximum" }),
      threshold: 3600,
      periods: 3,
      says: "Messages wait for more than an hour: workers fail, are too few (workersMaximum), or one group is blocked",
    });
  }
}
