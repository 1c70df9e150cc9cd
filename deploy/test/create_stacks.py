"""Creates the synthesized stacks in a CloudFormation that runs on this machine (moto), and looks at what stands then.

    create_stacks.py CDK_OUT

moto makes most kinds of resources and skips some; what it skips is printed, and cfn-lint is what judges those. What this
proves is that templates are accepted in their order, exports meet imports, references resolve and resources exist.
"""

import io
import json
import logging
import os
import sys
import warnings
import zipfile
from pathlib import Path

os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")
os.environ.pop("AWS_PROFILE", None)

import boto3  # noqa: E402
from moto import mock_aws  # noqa: E402

STACKS = ["ImgmillBase", "ImgmillList", "ImgmillBucket", "ImgmillWorker", "ImgmillProcess", "ImgmillFleet"]
ACCOUNT = "123456789012"
ASSETS = f"cdk-hnb659fds-assets-{ACCOUNT}-us-east-1"


def prepare(out):
    """What `cdk bootstrap` leaves in an account: a bucket with the assets, and its version."""
    boto3.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=ASSETS)
    for manifest in out.glob("*.assets.json"):
        for asset in json.loads(manifest.read_text())["files"].values():
            source = out / asset["source"]["path"]
            body = source.read_bytes() if source.is_file() else folder_as_zip(source)
            for destination in asset["destinations"].values():
                s3.put_object(Bucket=ASSETS, Key=destination["objectKey"], Body=body)


def folder_as_zip(folder):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return buffer.getvalue()


def without_secrets(text):
    """moto's CloudFormation makes no secrets, and what refers to one would refer to nothing: an ARN takes its place."""
    template = json.loads(text)
    secrets = [name for name, resource in template["Resources"].items() if resource["Type"] == "AWS::SecretsManager::Secret"]

    def replaced(value):
        if isinstance(value, dict):
            if value.get("Ref") in secrets:
                return f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:{value['Ref']}"
            return {key: replaced(one) for key, one in value.items()}
        return [replaced(one) for one in value] if isinstance(value, list) else value

    return json.dumps(replaced(template))


def create(out):
    """Each stack in turn; what moto's CloudFormation does not know is told on standard output."""
    cloudformation = boto3.client("cloudformation")
    made = {}
    for name in STACKS:
        template = without_secrets((out / f"{name}.template.json").read_text())
        cloudformation.create_stack(StackName=name, TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"])
        status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        assert status == "CREATE_COMPLETE", f"{name}: {status}"
        wanted = {resource["Type"] for resource in json.loads(template)["Resources"].values()}
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
        made[name] = resources
        skipped = sorted(wanted - {resource["ResourceType"] for resource in resources})
        print(f"{name}: {len(resources)} resources made" + (f"; moto skips {', '.join(skipped)}" if skipped else ""))
    return made


def outputs(name):
    stack = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def look():
    """The stacks' outputs name things that are there, and that fit together."""
    base, bucket, worker = outputs("ImgmillBase"), outputs("ImgmillBucket"), outputs("ImgmillWorker")
    process, fleet, course = outputs("ImgmillProcess"), outputs("ImgmillFleet"), outputs("ImgmillList")
    s3, sqs, ecs = boto3.client("s3"), boto3.client("sqs"), boto3.client("ecs")

    for name in (bucket["SourcesBucket"], bucket["RecordsBucket"], worker["S3Bucket"], fleet["WorkBucket"], course["S3Bucket"]):
        rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
        assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256", name

    attributes = sqs.get_queue_attributes(QueueUrl=worker["QueueUrl"], AttributeNames=["All"])["Attributes"]
    assert attributes["FifoQueue"] == "true"
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] == 10

    definition = ecs.describe_task_definition(taskDefinition=bucket["DrainTask"])["taskDefinition"]
    container = definition["containerDefinitions"][0]
    environment = {one["name"]: one["value"] for one in container["environment"]}
    assert container["command"][1:3] == ["bucket", "drain"]
    assert environment["PROCESS_BUCKET"] == bucket["RecordsBucket"]

    # The task can be started as it is described, in the network that was made.
    network = {"subnets": base["Subnets"].split(","), "securityGroups": [base["SecurityGroup"]], "assignPublicIp": "ENABLED"}
    ran = ecs.run_task(
        cluster=process["ClusterName"], taskDefinition=process["TaskDefinition"], launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": network},
    )
    assert len(ran["tasks"]) == 1, ran
    ecs.stop_task(cluster=process["ClusterName"], task=ran["tasks"][0]["taskArn"])

    start = boto3.client("lambda").get_function_configuration(FunctionName=process["FunctionName"])["Environment"]["Variables"]
    assert start["IMGMILL_HANDLER"] == "ecs" and start["IIIF_PROCESS_SUBNET"] == base["Subnets"], start

    machine = boto3.client("stepfunctions").describe_state_machine(stateMachineArn=fleet["StateMachine"])
    states = json.loads(machine["definition"])["States"]
    assert states["Rows"]["ItemProcessor"]["States"]["Make"]["Parameters"]["FunctionName"].startswith("arn:aws:lambda:"), states


def remove():
    """The systems; the base stays, since moto does not take a network's parts away in their order."""
    cloudformation = boto3.client("cloudformation")
    for name in reversed(STACKS[1:]):
        cloudformation.delete_stack(StackName=name)
    left = [stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]]
    assert left == STACKS[:1], left


def main():
    out = Path(sys.argv[1])
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with mock_aws(config={"lambda": {"use_docker": False}}):
        prepare(out)
        create(out)
        look()
        remove()
    print("all stacks were created and looked at, and the systems removed")


if __name__ == "__main__":
    main()
