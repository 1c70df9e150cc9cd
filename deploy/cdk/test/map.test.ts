// The state machine's definition: valid, and saying what the handler, `imgmill dispatch` and the runbook rely on.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import validate = require("asl-validator");
import { DEFINITION } from "../lib/parts/map";
import { template, type Resource } from "./made";

const definition = JSON.parse(fs.readFileSync(DEFINITION, "utf8").replaceAll("${Handler}", "arn:aws:lambda:us-east-1:123456789012:function:map"));

/** As it stands in a template with `context`, with what CloudFormation would fill in as words. */
function deployed(context: Record<string, unknown>): any {
  const machine = Object.values(template("ImgmillFleet", context).findResources("AWS::StepFunctions::StateMachine"))[0] as Resource;
  const parts = machine.Properties.DefinitionString["Fn::Join"][1] as unknown[];
  return JSON.parse(parts.map((part) => (typeof part === "string" ? part : "HANDLER")).join(""));
}

test("it is valid by the States Language's schema, and the check can fail", () => {
  const { isValid, errorsText } = validate(definition);
  assert.ok(isValid, errorsText());
  const broken = structuredClone(definition);
  broken.States.Rows.ItemProcessor.States.Make.Next = "Nowhere";
  assert.equal(validate(broken).isValid, false);
});

for (const name of ["Rows", "Inventory"]) {
  const map = definition.States[name];
  const make: any = Object.values(map.ItemProcessor.States)[0];

  test(`${name}: rows go to the handler in batches, with their numbers`, () => {
    assert.deepEqual(map.ItemProcessor.ProcessorConfig, { Mode: "DISTRIBUTED", ExecutionType: "STANDARD" });
    assert.equal(map.ItemSelector["row.$"], "$$.Map.Item.Index");
    assert.equal(map.ItemBatcher.MaxItemsPerBatchPath, "$.batch");
    assert.equal(make.Parameters["Payload.$"], "$");
  });

  test(`${name}: some batches may fail, and results are gathered`, () => {
    assert.equal(map.ToleratedFailurePercentagePath, "$.tolerated_failure_percentage");
    assert.deepEqual(map.ResultWriter, {
      Resource: "arn:aws:states:::s3:putObject",
      Parameters: { "Bucket.$": "$.output.bucket", "Prefix.$": "$.output.prefix" },
    });
  });

  test(`${name}: rows that are left are tried again, and a lack of Lambda's concurrency is waited out`, () => {
    assert.ok(make.Retry[0].ErrorEquals.includes("RowsUnfinished"));
    assert.deepEqual(make.Retry[1].ErrorEquals, ["Lambda.TooManyRequestsException"]);
    assert.ok(make.Retry[1].MaxAttempts > make.Retry[0].MaxAttempts);
  });
}

test("its reader knows a list by its header, and an inventory by its manifest", () => {
  assert.deepEqual(definition.States.Rows.ItemReader.ReaderConfig, { InputType: "CSV", CSVHeaderLocation: "FIRST_ROW" });
  assert.deepEqual(definition.States.Inventory.ItemReader.ReaderConfig, { InputType: "MANIFEST" });
});

test("what is said of a deployment becomes its defaults", () => {
  const { defaults } = deployed({ mapBatch: 20, mapConcurrency: 7 }).States.Given.Parameters;
  assert.equal(defaults.batch, 20);
  assert.equal(defaults.max_concurrency, 7);
  assert.equal(deployed({}).States.Rows.ItemProcessor.States.Make.Parameters.FunctionName, "HANDLER");
});
