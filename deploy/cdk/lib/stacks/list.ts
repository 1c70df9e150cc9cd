// The main job's bucket, and the policy and role by which people and functions write to it: names and contents as the course
// prints them, so that its instructions hold word for word.

import { CfnOutput, Stack, type StackProps } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import { bucket } from "../parts/buckets";
import type { Settings } from "../settings";

export const POLICY = "S3ReadWriteGoCourse";
export const ROLE = "GoCourseLambdaUserReadWriteS3";

export class ListStack extends Stack {
  constructor(scope: Construct, id: string, settings: Settings, props?: StackProps) {
    super(scope, id, { description: "imgmill: derivatives of a CSV's images in a bucket", ...props });
    const images = bucket(this, "Images", { existing: settings.existing.listBucket, disposable: settings.disposable });
    const policy = new iam.ManagedPolicy(this, "ReadWrite", {
      managedPolicyName: POLICY,
      statements: [
        new iam.PolicyStatement({ sid: "ListObjectsInBucket", actions: ["s3:ListBucket"], resources: [images.bucketArn] }),
        new iam.PolicyStatement({ sid: "AllObjectActions", actions: ["s3:*Object"], resources: [images.arnForObjects("*")] }),
      ],
    });
    const role = new iam.Role(this, "Role", {
      roleName: ROLE,
      assumedBy: new iam.CompositePrincipal(new iam.AccountRootPrincipal(), new iam.ServicePrincipal("lambda.amazonaws.com")),
      managedPolicies: [policy],
      // `s3:*Object` holds no s3:AbortMultipartUpload: parts of a pyramid that failed stay until the bucket's lifecycle takes them.
      description: "Assumed by people of this account and by Lambda, to read and write the bucket of derivatives",
    });
    new CfnOutput(this, "S3Bucket", { value: images.bucketName, description: "S3_BUCKET" });
    new CfnOutput(this, "AwsRoleArn", { value: role.roleArn, description: "AWS_ROLE_ARN" });
  }
}
