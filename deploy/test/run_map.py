"""Runs the Distributed Map's definition in an interpreter of the States Language (moto's), over a list in S3.

What that interpreter does not know is left out of it: batches, the writer of results, the reader of inventories. So this proves how the
input is completed, how the list is read, what a row looks like to the handler, and that its answer is what comes out.
"""

import json
import logging
import os
import time
from pathlib import Path

os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")
os.environ.pop("AWS_PROFILE", None)

import boto3  # noqa: E402
import requests  # noqa: E402
from moto import mock_aws  # noqa: E402

DEFINITION = Path(__file__).resolve().parent.parent / "cdk/lib/map.asl.json"
URLS = ["http://example.org/a.jpg", "http://example.org/b.jpg?x=1&y=2", "http://example.org/c%20d.jpg"]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]}, "Action": "sts:AssumeRole"}],
}


def definition(handler, echo):
    """As it is, but for what the interpreter does not know; with `echo`, the handler's event is the answer."""
    machine = json.loads(DEFINITION.read_text().replace("${Handler}", handler))
    machine["States"]["Inventory"] = {"Type": "Fail", "Error": "not here"}
    rows = machine["States"]["Rows"]
    del rows["ItemBatcher"], rows["ResultWriter"]
    if echo:
        rows["ItemProcessor"]["States"]["Make"] = {"Type": "Pass", "End": True}
    return json.dumps(machine)


def execute(name, text, role, given):
    states = boto3.client("stepfunctions")
    machine = states.create_state_machine(name=name, definition=text, roleArn=role)["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = states.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.1)
    raise AssertionError(f"{name} is still running")


def main():
    logging.disable(logging.CRITICAL)
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}}):
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="work")
        s3.put_object(Bucket="work", Key="lists/list.csv", Body="\n".join(["url", *URLS]) + "\n")
        role = boto3.client("iam").create_role(RoleName="map", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        handler = boto3.client("lambda").create_function(
            FunctionName="map", Runtime="provided.al2023", Handler="bootstrap", Role=role, Code={"ZipFile": b"PK"}
        )["FunctionArn"]
        given = {"input": {"bucket": "work", "key": "lists/list.csv"}, "output": {"bucket": "work", "prefix": "runs/1"}}

        found = execute("echo", definition(handler, echo=True), role, given)
        assert found["status"] == "SUCCEEDED", found
        rows = json.loads(found["output"])
        assert rows == [{"row": number, "url": url} for number, url in enumerate(URLS)], rows

        answer = {"rows": [], "stored": 1, "failed": 0}
        canned = {"results": [json.dumps(answer)] * len(URLS), "region": "us-east-1"}
        requests.post("http://motoapi.amazonaws.com/moto-api/static/lambda-simple/response", json=canned, timeout=10)
        found = execute("rows", definition(handler, echo=False), role, given)
        assert json.loads(found["output"]) == [answer] * len(URLS), found

        found = execute("inventory", definition(handler, echo=True), role, given | {"inventory": True})
        assert found["status"] == "FAILED", "what is said wins over the defaults"
    print("the map was run over a list: input completed, rows numbered, answers gathered")


if __name__ == "__main__":
    main()
