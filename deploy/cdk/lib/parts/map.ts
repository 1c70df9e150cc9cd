// The Distributed Map: a list of rows in S3, in batches, each to one invocation of the handler `map`. Written in the Amazon
// States Language itself (map.asl.json beside the app), so that it can be read, checked and used without the CDK.

import * as fs from "node:fs";
import * as path from "node:path";
import { ArnFormat, Duration, Stack } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import * as sfn from "aws-cdk-lib/aws-stepfunctions";
import type { Construct } from "constructs";
import { allow } from "./buckets";
import { logGroup } from "./logs";

export const DEFINITION = path.join(__dirname, "../../../lib/map.asl.json");

export interface MapWishes {
  readonly handler: IFunction;
  /** Holds the lists, and takes the results. */
  readonly work: IBucket;
  readonly batch: number;
  readonly concurrency: number;
  readonly logDays: number;
}

export function distributedMap(scope: Construct, id: string, wishes: MapWishes): sfn.StateMachine {
  const log = logGroup(scope, `${id}Log`, wishes.logDays);
  const role = new iam.Role(scope, `${id}Role`, {
    assumedBy: new iam.ServicePrincipal("states.amazonaws.com"),
    description: "What the state machine may do: read lists, invoke the handler, write results",
  });
  const machine = new sfn.StateMachine(scope, id, {
    definitionBody: sfn.DefinitionBody.fromString(JSON.stringify(definition(wishes))),
    role,
    timeout: Duration.days(14),
    logs: { destination: log, level: sfn.LogLevel.ERROR },
  });
  wishes.handler.grantInvoke(role);
  allow(role, wishes.work, ["look", "read", "write"]);
  childExecutions(scope, id, role, machine);
  return machine;
}

function definition(wishes: MapWishes): unknown {
  const read = JSON.parse(fs.readFileSync(DEFINITION, "utf8").replaceAll("${Handler}", wishes.handler.functionArn));
  const defaults = read.States.Given.Parameters.defaults;
  defaults.batch = wishes.batch;
  defaults.max_concurrency = wishes.concurrency;
  return read;
}

/**
 * A map run starts executions of its own machine, and a redrive takes them up again. The machine needs its role, and this
 * policy the machine's name, so it stands beside the role's own.
 */
function childExecutions(scope: Construct, id: string, role: iam.Role, machine: sfn.StateMachine): void {
  new iam.Policy(scope, `${id}Children`, {
    roles: [role],
    statements: [
      new iam.PolicyStatement({ actions: ["states:StartExecution"], resources: [machine.stateMachineArn] }),
      new iam.PolicyStatement({
        actions: ["states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"],
        resources: [ofMachine(machine, "execution")],
      }),
    ],
  });
}

/** Executions or map runs of a machine: `execution:NAME:…` of the parent, `execution:NAME/LABEL:…` of its children. */
export function ofMachine(machine: sfn.StateMachine, resource: "execution" | "mapRun"): string {
  const resourceName = `${machine.stateMachineName}*`;
  return Stack.of(machine).formatArn({ service: "states", resource, resourceName, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
}
