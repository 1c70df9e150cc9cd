import assert from "node:assert/strict";
import { test } from "node:test";
import { app, names, template } from "./made";

const refused = (context: Record<string, unknown>, says: RegExp) => assert.throws(() => app(context), says);

test("all systems are made unless some are chosen", () => {
  assert.deepEqual(names(), ["ImgmillBase", "ImgmillList", "ImgmillBucket", "ImgmillWorker", "ImgmillProcess", "ImgmillFleet"]);
  assert.deepEqual(names({ systems: "worker, list" }), ["ImgmillBase", "ImgmillWorker", "ImgmillList"]);
  refused({ systems: "workers" }, /there is no "workers"; choose among list, bucket/);
});

test("a zip that is not there is said with its name and what to do, and only where one is wanted", () => {
  refused({ lambdaZip: "/nowhere/process-task.zip" }, /lambdaZip: \/nowhere\/process-task.zip is not there; build it with `make lambda-process`/);
  assert.deepEqual(names({ lambdaZip: "/nowhere/process-task.zip", systems: "list,worker" }).length, 3);
});

test("a setting with a typing error is refused", () => {
  refused({ sourceBucket: "mine" }, /unknown context: sourceBucket; known are .*sourcesBucket/);
  refused({ logDays: "many" }, /logDays: "many" should be a whole number/);
  refused({ spot: "no" }, /spot: "no" should be true or false/);
  refused({ workersMinimum: 5, workersMaximum: 2 }, /workersMinimum \(5\) is more than/);
  refused({ workersMinimum: 0 }, /at least 1/);
  refused({ vpcId: "vpc-1" }, /subnetIds and availabilityZones/);
  refused({ queueArn: "ImageQueue.fifo" }, /no queue's ARN/);
  refused({ lambdaImage: "imgmill" }, /REPOSITORY:TAG/);
  refused({ image: "imgmill" }, /names no tag/);
});

test("functions can run the container image", () => {
  const bucket = template("ImgmillBucket", { lambdaImage: "imgmill:0.1.0", lambdaZip: "/nowhere" });
  bucket.hasResourceProperties("AWS::Lambda::Function", {
    PackageType: "Image",
    ImageConfig: { EntryPoint: ["/bin/imgmill"], Command: ["lambda"] },
  });
});

test("an image of another registry is taken by its whole name, one of another account by its repository", () => {
  const other = JSON.stringify(template("ImgmillBucket", { image: "ghcr.io/example/imgmill:1.0" }).toJSON());
  assert.match(other, /"Image":"ghcr.io\/example\/imgmill:1.0"/);
  const account = JSON.stringify(template("ImgmillBucket", { image: "999999999999.dkr.ecr.eu-west-1.amazonaws.com/team/imgmill:1.0" }).toJSON());
  assert.match(account, /:ecr:eu-west-1:999999999999:repository\/team\/imgmill/);
});
