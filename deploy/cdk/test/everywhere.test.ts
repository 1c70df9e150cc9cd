// What holds for every stack, whatever it is for.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { app, type Resource, type Statement } from "./made";

const made = app();
const stacks = made.node.children.filter((child): child is Stack => child instanceof Stack);

for (const stack of stacks) {
  const template = Template.fromStack(stack);
  const all = (type: string) => Object.entries(template.findResources(type) as Record<string, Resource>);

  describe(stack.node.id, () => {
    test("buckets are encrypted, closed, and cleared of unfinished uploads", () => {
      for (const [id, { Properties, DeletionPolicy }] of all("AWS::S3::Bucket")) {
        assert.equal(DeletionPolicy, "Retain", id);
        assert.equal(Properties.BucketEncryption.ServerSideEncryptionConfiguration[0].ServerSideEncryptionByDefault.SSEAlgorithm, "AES256", id);
        assert.deepEqual(new Set(Object.values(Properties.PublicAccessBlockConfiguration)), new Set([true]), id);
        const rules = Properties.LifecycleConfiguration.Rules;
        assert.ok(rules.some((rule: any) => rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation === 7 && !rule.Prefix), id);
      }
    });

    test("buckets and queues answer to TLS alone", () => {
      const policies = [...all("AWS::S3::BucketPolicy"), ...all("AWS::SQS::QueuePolicy")];
      const guarded = policies
        .filter(([, policy]) =>
          policy.Properties.PolicyDocument.Statement.some((one: Statement) => one.Effect === "Deny" && JSON.stringify(one.Condition).includes('"aws:SecureTransport":"false"')),
        )
        .flatMap(([, policy]) => [policy.Properties.Bucket, ...(policy.Properties.Queues ?? [])].filter(Boolean).map((one) => one.Ref));
      for (const [id] of [...all("AWS::S3::Bucket"), ...all("AWS::SQS::Queue")]) {
        assert.ok(guarded.includes(id), `${id} takes requests without TLS`);
      }
    });

    test("every function and container logs to a group of the stack, which forgets", () => {
      for (const [id, { Properties }] of all("AWS::Logs::LogGroup")) {
        assert.equal(Properties.RetentionInDays, 30, id);
      }
      const groups = all("AWS::Logs::LogGroup").map(([id]) => id);
      for (const [id, { Properties }] of all("AWS::Lambda::Function")) {
        assert.ok(groups.includes(Properties.LoggingConfig.LogGroup.Ref), id);
      }
      for (const [id, { Properties }] of all("AWS::ECS::TaskDefinition")) {
        for (const container of Properties.ContainerDefinitions) {
          assert.ok(groups.includes(container.LogConfiguration.Options["awslogs-group"].Ref), id);
        }
      }
    });

    test("no role may do everything, nor a managed policy's lot, nor anything to everything but what knows no resources", () => {
      const everywhere = [
        "ecr:GetAuthorizationToken",
        "sqs:ListQueues",
        "ecs:DescribeTaskDefinition",
        // Only with a condition on the cluster, which is looked at below.
        "ecs:DescribeTasks",
        "ecs:StopTask",
        /^logs:(Create|Delete|Get|List|Update)LogDeliver(y|ies)$/,
        /^logs:(DescribeLogGroups|DescribeResourcePolicies|PutResourcePolicy)$/,
      ];
      const policies = [...all("AWS::IAM::Policy"), ...all("AWS::IAM::ManagedPolicy")];
      for (const [id, policy] of policies) {
        for (const one of policy.Properties.PolicyDocument.Statement as Statement[]) {
          const given = [one.Action].flat();
          assert.ok(given.every((action) => !/^\*$|^\w+:\*$/.test(action)), `${id}: ${given}`);
          if (JSON.stringify(one.Resource) === '"*"') {
            const known = (action: string) => everywhere.some((entry) => (entry instanceof RegExp ? entry.test(action) : entry === action));
            assert.deepEqual(given.filter((action) => !known(action)), [], id);
            if (given.some((action) => /DescribeTasks|StopTask/.test(action))) {
              assert.ok(JSON.stringify(one.Condition).includes("ecs:cluster"), id);
            }
          }
        }
      }
      for (const [id, { Properties }] of all("AWS::IAM::Role")) {
        assert.ok(!JSON.stringify(Properties.ManagedPolicyArns ?? []).includes(":iam::aws:policy"), id);
      }
    });

    test("nothing can connect to a task", () => {
      for (const [id, { Properties }] of all("AWS::EC2::SecurityGroup")) {
        assert.equal(Properties.SecurityGroupIngress, undefined, id);
      }
      assert.deepEqual(all("AWS::EC2::SecurityGroupIngress"), []);
      assert.deepEqual(all("AWS::EC2::NatGateway"), []);
    });

    test("every alarm goes to the topic and says what to do", () => {
      for (const [id, { Properties }] of all("AWS::CloudWatch::Alarm")) {
        assert.equal(Properties.AlarmActions.length, 1, id);
        assert.ok(Properties.AlarmDescription.length > 40, id);
      }
    });
  });
}
