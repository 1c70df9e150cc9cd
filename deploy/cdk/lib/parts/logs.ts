// Log groups that forget after a time, each made by its stack, so that nothing logs into one that keeps for ever.

import { RemovalPolicy } from "aws-cdk-lib";
import * as logs from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";

/** A group that keeps its lines for `days`, rounded up to the next number of days that CloudWatch knows. */
export function logGroup(scope: Construct, id: string, days: number): logs.LogGroup {
  return new logs.LogGroup(scope, id, { retention: retention(days), removalPolicy: RemovalPolicy.DESTROY });
}

export function retention(days: number): logs.RetentionDays {
  const known = Object.values(logs.RetentionDays).filter((value): value is number => typeof value === "number");
  const enough = known.filter((value) => value >= days && value !== (logs.RetentionDays.INFINITE as number));
  return enough.length > 0 ? Math.min(...enough) : logs.RetentionDays.TEN_YEARS;
}
