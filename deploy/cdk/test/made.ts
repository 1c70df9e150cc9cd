// What the tests look at: the app, made with a stand-in for the functions' zip, and ways to find things in its templates.

import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { App, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { build } from "../lib/app";

export const FOLDER = path.join(__dirname, "../..");

/** No test runs a function, so any file will do as one. */
export const ZIP = (() => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "imgmill-cdk-")), "bootstrap.zip");
  fs.writeFileSync(file, "PK");
  return file;
})();

export type Context = Record<string, unknown>;
export type Resource = { Type: string; Properties: any; DeletionPolicy?: string };

export function app(context: Context = {}): App {
  const standard = JSON.parse(fs.readFileSync(path.join(FOLDER, "cdk.json"), "utf8")).context;
  const made = new App({ context: { ...standard, lambdaZip: ZIP, ...context }, outdir: fs.mkdtempSync(path.join(os.tmpdir(), "imgmill-cdk-")) });
  build(made);
  return made;
}

export function template(name: string, context: Context = {}): Template {
  return Template.fromStack(app(context).node.findChild(name) as Stack);
}

export function names(context: Context = {}): string[] {
  return app(context).node.children.filter((child) => child instanceof Stack).map((child) => child.node.id);
}

export interface Statement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

/** What a role may do: the statements of all policies that name it, by a part of its logical id. */
export function statements(of: Template, role: string): Statement[] {
  const found = Object.values(of.findResources("AWS::IAM::Policy") as Record<string, Resource>)
    .filter((policy) => JSON.stringify(policy.Properties.Roles).includes(`"${role}`))
    .flatMap((policy) => policy.Properties.PolicyDocument.Statement as Statement[]);
  if (found.length === 0) {
    throw new Error(`no policy names a role ${role}`);
  }
  return found;
}

export function actions(of: Template, role: string): string[] {
  return statements(of, role).flatMap((one) => one.Action).sort();
}

/** Each environment variable of a function, by a part of its logical id. */
export function variables(of: Template, name: string): Record<string, unknown> {
  const found = Object.entries(of.findResources("AWS::Lambda::Function") as Record<string, Resource>).find(([id]) => id.startsWith(name));
  return found![1].Properties.Environment.Variables;
}
