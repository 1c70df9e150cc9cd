"""Checks what is sent to Kubernetes and to AWS Batch, without either: by Kubernetes' own schemas (PyPI's kubernetes-validate),
by the API's model that botocore carries, and by what has to fit together."""

import json
import os
import subprocess
import sys
from pathlib import Path

import botocore.session
import kubernetes_validate
import yaml
from botocore.validate import ParamValidator

DEPLOY = Path(__file__).resolve().parent.parent
KUBERNETES_VERSION = "1.33"
BATCH = {
    "IMAGE": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/imgmill:0.1.0",
    "BUCKET": "my-bucket",
    "AWS_REGION": "eu-west-1",
    "EXECUTION_ROLE": "arn:aws:iam::123456789012:role/execution",
    "JOB_ROLE": "arn:aws:iam::123456789012:role/run",
    "LOG_GROUP": "imgmill",
    "SUBNETS": "subnet-1,subnet-2",
    "SECURITY_GROUP": "sg-1",
}


def documents():
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        for document in yaml.safe_load_all(file.read_text()):
            yield file.name, document


def check_kubernetes():
    found = {}
    for name, document in documents():
        found[document["kind"]] = document
        if document["apiVersion"].startswith("keda.sh/"):
            continue
        kubernetes_validate.validate(document, KUBERNETES_VERSION, strict=True)
    assert set(found) == {"ServiceAccount", "Job", "Deployment", "TriggerAuthentication", "ScaledObject"}, set(found)
    broken = json.loads(json.dumps(found["Job"]))
    broken["spec"]["completion"] = 8
    try:
        kubernetes_validate.validate(broken, KUBERNETES_VERSION, strict=True)
    except kubernetes_validate.ValidationError:
        pass
    else:
        raise AssertionError("a misspelt field passes: the schemas are not looked at")
    check_job(found["Job"])
    check_worker(found["Deployment"], found["ScaledObject"], found["TriggerAuthentication"])
    for kind in ("Job", "Deployment"):
        check_pod(found[kind]["spec"]["template"]["spec"])


def check_job(job):
    spec = job["spec"]
    assert spec["completionMode"] == "Indexed" and spec["completions"] == spec["parallelism"]
    arguments = spec["template"]["spec"]["containers"][0]["args"]
    # Each index is one shard: another count would leave rows to nobody.
    assert f"--shard-count={spec['completions']}" in arguments and "--shard=auto" in arguments, arguments
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def check_worker(deployment, scaled, authentication):
    """KEDA's schemas do not come along; these are the fields of its documentation that it cannot do without."""
    assert scaled["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"]
    assert 0 <= scaled["spec"]["minReplicaCount"] < scaled["spec"]["maxReplicaCount"]
    trigger = scaled["spec"]["triggers"][0]
    assert trigger["type"] == "aws-sqs-queue"
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    assert all(isinstance(value, str) for value in trigger["metadata"].values()), "KEDA's metadata are texts"
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    queue = {one["name"]: one.get("value") for one in container["env"]}["QUEUE_URL"]
    assert trigger["metadata"]["queueURL"] == queue
    grace = int(next(one for one in container["args"] if one.startswith("--grace=")).split("=")[1])
    assert grace < deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]


def check_pod(pod):
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["serviceAccountName"] == "imgmill"
    container = pod["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    assert ":" in container["image"] and not container["image"].endswith(":latest")


def check_batch():
    model = botocore.session.get_session().get_service_model("batch")
    for file, operation in (
        ("compute-environment", "CreateComputeEnvironment"),
        ("job-queue", "CreateJobQueue"),
        ("job-definition", "RegisterJobDefinition"),
    ):
        request = json.loads(submit("print", file).stdout)
        shape = model.operation_model(operation).input_shape
        report = ParamValidator().validate(request, shape)
        assert not report.has_errors(), f"{file}: {report.generate_report()}"
        unknown = list(unknown_fields(request, shape, file))
        assert not unknown, unknown
    definition = json.loads(submit("print", "job-definition").stdout)
    used = {word[5:] for word in definition["containerProperties"]["command"] if word.startswith("Ref::")}
    assert used == set(definition["parameters"]), used
    environment = json.loads(submit("print", "compute-environment").stdout)
    assert environment["computeResources"]["subnets"] == ["subnet-1", "subnet-2"]
    missing = submit("print", "job-definition", without="JOB_ROLE")
    assert missing.returncode != 0 and "JOB_ROLE is not set" in missing.stderr, missing


def unknown_fields(value, shape, where):
    """botocore says nothing of fields that the API does not know."""
    if shape.type_name == "structure":
        for key, one in value.items():
            if key not in shape.members:
                yield f"{where}.{key}"
            else:
                yield from unknown_fields(one, shape.members[key], f"{where}.{key}")
    elif shape.type_name == "list":
        for one in value:
            yield from unknown_fields(one, shape.member, where)


def submit(*words, without=None):
    environment = {key: value for key, value in (os.environ | BATCH).items() if key != without}
    return subprocess.run([DEPLOY / "batch/submit.sh", *words], env=environment, capture_output=True, text=True)


if __name__ == "__main__":
    check_kubernetes()
    print("kubernetes: schemas and what has to fit together")
    check_batch()
    print("batch: the API's model")
    sys.exit(0)
