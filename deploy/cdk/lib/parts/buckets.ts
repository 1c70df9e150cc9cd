// Buckets: made encrypted, closed, reachable by TLS alone and cleared of uploads that were never finished; or taken as they are
// where a name is given. What a role may do with their objects is said here too, action by action.

import { Duration, RemovalPolicy } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import * as s3 from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";

export interface BucketWishes {
  /** The name of a bucket that exists. */
  readonly existing?: string;
  /** Tell EventBridge of every object. */
  readonly events?: boolean;
  readonly disposable: boolean;
  /** Folders whose objects go away by themselves, and after how many days. */
  readonly expiring?: Record<string, number>;
}

export function bucket(scope: Construct, id: string, wishes: BucketWishes): s3.IBucket {
  if (wishes.existing !== undefined) {
    const found = s3.Bucket.fromBucketName(scope, id, wishes.existing);
    if (wishes.events) {
      // Adds to the notifications that the bucket has, by a function of the CDK's own.
      found.enableEventBridgeNotification();
    }
    return found;
  }
  const made = new s3.Bucket(scope, id, {
    encryption: s3.BucketEncryption.S3_MANAGED,
    blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    enforceSSL: true,
    minimumTLSVersion: 1.2,
    lifecycleRules: [
      { id: "UnfinishedUploads", abortIncompleteMultipartUploadAfter: Duration.days(7) },
      ...Object.entries(wishes.expiring ?? {}).map(([prefix, days]) => ({
        id: `Expire-${prefix.replace(/[^\w-]+/g, "-")}`,
        prefix,
        expiration: Duration.days(days),
      })),
    ],
    removalPolicy: wishes.disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
    autoDeleteObjects: wishes.disposable,
  });
  if (wishes.events) {
    // The plain property does for a bucket of our own what the CDK's method needs a function for.
    const plain = made.node.defaultChild as s3.CfnBucket;
    plain.notificationConfiguration = { eventBridgeConfiguration: { eventBridgeEnabled: true } };
  }
  return made;
}

/** What may be done with a bucket's objects. `look` is `s3:ListBucket`, without which a missing object reads as forbidden. */
export type Permission = "look" | "read" | "write" | "remove";

const ACTIONS: Record<Exclude<Permission, "look">, string[]> = {
  read: ["s3:GetObject"],
  // A pyramid goes up in parts; an upload that fails is given up.
  write: ["s3:PutObject", "s3:AbortMultipartUpload"],
  remove: ["s3:DeleteObject"],
};

/** Allows `grantee` just this with the objects of `of`, below `prefix` where one is given. */
export function allow(grantee: iam.IGrantable, of: s3.IBucket, permissions: Permission[], prefix = ""): void {
  if (permissions.includes("look")) {
    grantee.grantPrincipal.addToPrincipalPolicy(
      new iam.PolicyStatement({ actions: ["s3:ListBucket"], resources: [of.bucketArn] }),
    );
  }
  const actions = permissions.flatMap((permission) => (permission === "look" ? [] : ACTIONS[permission]));
  if (actions.length > 0) {
    grantee.grantPrincipal.addToPrincipalPolicy(
      new iam.PolicyStatement({ actions, resources: [of.arnForObjects(`${prefix}*`)] }),
    );
  }
}
