// What each system's stack is for.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Match } from "aws-cdk-lib/assertions";
import { actions, statements, template, variables, type Resource } from "./made";

describe("the main job's bucket", () => {
  const list = template("ImgmillList");

  test("its policy is the course's, word for word", () => {
    const policy = Object.values(list.findResources("AWS::IAM::ManagedPolicy") as Record<string, Resource>)[0]!.Properties;
    assert.equal(policy.ManagedPolicyName, "S3ReadWriteGoCourse");
    const arn = { "Fn::GetAtt": [Object.keys(list.findResources("AWS::S3::Bucket"))[0], "Arn"] };
    assert.deepEqual(policy.PolicyDocument, {
      Version: "2012-10-17",
      Statement: [
        { Sid: "ListObjectsInBucket", Effect: "Allow", Action: "s3:ListBucket", Resource: arn },
        { Sid: "AllObjectActions", Effect: "Allow", Action: "s3:*Object", Resource: { "Fn::Join": ["", [arn, "/*"]] } },
      ],
    });
  });

  test("its role may be assumed by the account and by Lambda", () => {
    list.hasResourceProperties("AWS::IAM::Role", {
      RoleName: "GoCourseLambdaUserReadWriteS3",
      AssumeRolePolicyDocument: {
        // The course's two statements, which the CDK writes as one.
        Statement: [
          {
            Action: "sts:AssumeRole",
            Effect: "Allow",
            Principal: {
              AWS: { "Fn::Join": ["", ["arn:", { Ref: "AWS::Partition" }, ":iam::", { Ref: "AWS::AccountId" }, ":root"]] },
              Service: "lambda.amazonaws.com",
            },
          },
        ],
      },
    });
  });
});

describe("bucket to pyramids", () => {
  const bucket = template("ImgmillBucket");

  test("every object that is put is told to the record handler, and none of it is lost", () => {
    bucket.hasResourceProperties("AWS::S3::Bucket", { NotificationConfiguration: { EventBridgeConfiguration: { EventBridgeEnabled: true } } });
    bucket.hasResourceProperties("AWS::Events::Rule", {
      EventPattern: { source: ["aws.s3"], "detail-type": ["Object Created"], detail: { bucket: { name: [{ Ref: Match.stringLikeRegexp("^Sources") }] } } },
      Targets: [Match.objectLike({ DeadLetterConfig: Match.anyValue(), Arn: { "Fn::GetAtt": [Match.stringLikeRegexp("^Record"), "Arn"] } })],
    });
    bucket.hasResourceProperties("AWS::Lambda::Function", { Handler: "bootstrap", Runtime: "provided.al2023", DeadLetterConfig: Match.anyValue() });
    assert.equal(variables(bucket, "Record").IMGMILL_HANDLER, "record");
  });

  test("the drain starts at 5:30 in New York, whatever the season", () => {
    bucket.hasResourceProperties("AWS::Scheduler::Schedule", {
      ScheduleExpression: "cron(30 5 * * ? *)",
      ScheduleExpressionTimezone: "America/New_York",
      State: "ENABLED",
      Target: Match.objectLike({
        EcsParameters: Match.objectLike({
          LaunchType: "FARGATE",
          NetworkConfiguration: { AwsvpcConfiguration: Match.objectLike({ AssignPublicIp: "ENABLED" }) },
          TaskDefinitionArn: { Ref: Match.stringLikeRegexp("^Drain") },
        }),
      }),
    });
    bucket.hasResourceProperties("AWS::ECS::TaskDefinition", {
      ContainerDefinitions: [
        Match.objectLike({
          Command: ["/bin/imgmill", "bucket", "drain", "--log-format", "json"],
          Environment: Match.arrayWith([Match.objectLike({ Name: "RBSC_BUCKET" }), Match.objectLike({ Name: "PROCESS_BUCKET" }), Match.objectLike({ Name: "IMAGE_BUCKET" })]),
        }),
      ],
    });
  });

  test("each role has what its part needs of each bucket", () => {
    const of = (role: string, name: string) =>
      statements(bucket, role).filter((one) => JSON.stringify(one.Resource).includes(`"${name}`)).flatMap((one) => one.Action).sort();
    assert.deepEqual(of("DrainRole", "Sources"), ["s3:GetObject", "s3:ListBucket"]);
    assert.deepEqual(of("DrainRole", "Records"), ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"]);
    assert.deepEqual(of("DrainRole", "Images"), ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListBucket", "s3:PutObject"]);
    assert.deepEqual(of("RecordRole", "Records"), ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListBucket", "s3:PutObject"]);
    assert.deepEqual(of("RecordRole", "Sources"), []);
  });

  test("buckets that exist are used and not made", () => {
    const imported = template("ImgmillBucket", { sourcesBucket: "originals", recordsBucket: "process", imagesBucket: "pyramids" });
    imported.resourceCountIs("AWS::S3::Bucket", 0);
    imported.hasResourceProperties("Custom::S3BucketNotifications", { BucketName: "originals", Managed: false });
    assert.equal(variables(imported, "Record").PROCESS_BUCKET, "process");
  });

  test("a network that exists is used and not made", () => {
    const context = { vpcId: "vpc-1", subnetIds: "subnet-1,subnet-2", availabilityZones: "a,b", securityGroupId: "sg-1", publicIp: "false" };
    template("ImgmillBase", context).resourceCountIs("AWS::EC2::VPC", 0);
    template("ImgmillBucket", context).hasResourceProperties("AWS::Scheduler::Schedule", {
      Target: Match.objectLike({
        EcsParameters: Match.objectLike({
          NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp: "DISABLED", SecurityGroups: ["sg-1"], Subnets: ["subnet-1", "subnet-2"] } },
        }),
      }),
    });
  });
});

describe("the queue worker", () => {
  const worker = template("ImgmillWorker");

  test("its queue keeps order, and gives up into a queue of the same kind", () => {
    worker.resourceCountIs("AWS::SQS::Queue", 2);
    worker.allResourcesProperties("AWS::SQS::Queue", { FifoQueue: true, SqsManagedSseEnabled: true });
    worker.hasResourceProperties("AWS::SQS::Queue", { QueueName: "ImageQueue.fifo", RedrivePolicy: Match.objectLike({ maxReceiveCount: 10 }) });
  });

  test("it grows and shrinks with the messages that wait for each task", () => {
    worker.hasResourceProperties("AWS::ApplicationAutoScaling::ScalableTarget", { MinCapacity: 1, MaxCapacity: 20 });
    worker.hasResourceProperties("AWS::ApplicationAutoScaling::ScalingPolicy", {
      PolicyType: "TargetTrackingScaling",
      TargetTrackingScalingPolicyConfiguration: Match.objectLike({
        TargetValue: 600,
        CustomizedMetricSpecification: {
          Metrics: [
            Match.objectLike({ Id: "waiting", ReturnData: false }),
            Match.objectLike({ Id: "tasks", ReturnData: false, MetricStat: Match.objectLike({ Stat: "SampleCount" }) }),
            Match.objectLike({ Id: "backlog", ReturnData: true, Expression: Match.stringLikeRegexp("^waiting / ") }),
          ],
        },
      }),
    });
  });

  test("the first task is never on Spot capacity, others may be", () => {
    const strategies = (context: Record<string, unknown>) =>
      (Object.values(template("ImgmillWorker", context).findResources("AWS::ECS::Service"))[0] as Resource).Properties.CapacityProviderStrategy;
    assert.deepEqual(strategies({ workersMinimum: 2 }), [
      { Base: 2, CapacityProvider: "FARGATE", Weight: 0 },
      { CapacityProvider: "FARGATE_SPOT", Weight: 1 },
    ]);
    assert.deepEqual(strategies({ spot: "false" }), [{ CapacityProvider: "FARGATE", Weight: 1 }]);
  });

  test("it may take messages of its queue, send to the queues that are named, and store", () => {
    assert.deepEqual(actions(worker, "WorkerRole"), [
      "s3:AbortMultipartUpload", "s3:GetObject", "s3:ListBucket", "s3:PutObject",
      "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ListQueues", "sqs:ReceiveMessage", "sqs:SendMessage",
    ]);
    const send = (context: Record<string, unknown>) => statements(template("ImgmillWorker", context), "WorkerRole").find((one) => one.Action === "sqs:SendMessage");
    const text = JSON.stringify(send({ redirectQueues: "Pictures" })!.Resource);
    assert.ok(text.includes(":Pictures\"") && text.includes(":Pictures.fifo\""), text);
  });

  test("its grace ends before Fargate's patience does", () => {
    worker.hasResourceProperties("AWS::ECS::TaskDefinition", {
      ContainerDefinitions: [Match.objectLike({ StopTimeout: 120, Command: Match.arrayWith(["--grace", "100"]) })],
    });
  });

  test("a queue that exists is used and not made", () => {
    const queueArn = "arn:aws:sqs:us-east-2:328097268885:ImageQueue.fifo";
    const imported = template("ImgmillWorker", { queueArn });
    imported.resourceCountIs("AWS::SQS::Queue", 0);
    assert.ok(statements(imported, "WorkerRole").some((one) => one.Resource === queueArn));
  });
});

describe("iiif-process", () => {
  const process = template("ImgmillProcess");

  test("the function has the document's variables and may start this task on this cluster alone", () => {
    const found = variables(process, "Start");
    assert.equal(found.IMGMILL_HANDLER, "ecs");
    assert.equal(found.IIIF_PROCESS_MODE, "lambda");
    assert.equal(found.IIIF_PROCESS_CONTAINER, "go-iiif-process-ecs");
    assert.deepEqual(found.IIIF_PROCESS_ECS_DSN, { "Fn::Join": ["", ["region=", { Ref: "AWS::Region" }, " credentials=iam:"]] });
    const run = statements(process, "StartRole").find((one) => one.Action === "ecs:RunTask")!;
    assert.match(JSON.stringify(run.Resource), /task-definition\/go-iiif-process-ecs:\*/);
    assert.match(JSON.stringify(run.Condition), /ecs:cluster/);
    const pass = statements(process, "StartRole").find((one) => one.Action === "iam:PassRole")!;
    assert.equal((pass.Resource as unknown[]).length, 2);
    assert.deepEqual(pass.Condition, { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } });
  });

  test("task, container and family have the document's name", () => {
    process.hasResourceProperties("AWS::ECS::TaskDefinition", {
      Family: "go-iiif-process-ecs",
      NetworkMode: "awsvpc",
      RequiresCompatibilities: ["FARGATE"],
      ContainerDefinitions: [Match.objectLike({ Name: "go-iiif-process-ecs" })],
    });
  });

  test("tasks that ended are told to the report handler", () => {
    process.hasResourceProperties("AWS::Events::Rule", {
      EventPattern: { source: ["aws.ecs"], "detail-type": ["ECS Task State Change"], detail: { clusterArn: Match.anyValue(), lastStatus: ["STOPPED"] } },
      Targets: [Match.objectLike({ Arn: { "Fn::GetAtt": [Match.stringLikeRegexp("^Report"), "Arn"] } })],
    });
    assert.match(JSON.stringify(variables(process, "Report").IMGMILL_REPORT_STORE), /\.imgmill\/tasks/);
  });
});

describe("the fleet", () => {
  const fleet = template("ImgmillFleet");

  test("S3 Batch Operations may invoke its handler, for this account alone", () => {
    fleet.hasResourceProperties("AWS::IAM::Role", {
      AssumeRolePolicyDocument: {
        Statement: [
          Match.objectLike({
            Principal: { Service: "batchoperations.s3.amazonaws.com" },
            Condition: { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } },
          }),
        ],
      },
    });
    assert.equal(variables(fleet, "BatchHandler").IMGMILL_HANDLER, "batch");
  });

  test("the state machine may start and redrive its own executions", () => {
    const own = statements(fleet, "MapRole").filter((one) => JSON.stringify(one.Action).includes("states:"));
    assert.deepEqual(own.flatMap((one) => one.Action).sort(), ["states:DescribeExecution", "states:RedriveExecution", "states:StartExecution", "states:StopExecution"]);
  });

  test("handlers read the buckets that are named besides their own", () => {
    const read = statements(template("ImgmillFleet", { fleetSources: "originals" }), "MapHandlerRole");
    assert.ok(read.some((one) => one.Action === "s3:GetObject" && JSON.stringify(one.Resource).includes(":s3:::originals/*")));
    assert.ok(!read.some((one) => JSON.stringify(one.Action).includes("Put") && JSON.stringify(one.Resource).includes("originals")));
  });
});
