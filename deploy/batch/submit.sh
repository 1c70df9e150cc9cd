#!/bin/sh
# A list larger than one machine, as an array job of AWS Batch on Fargate Spot. Each job of the array takes its shard of the
# list; one that fails, or whose machine is taken away, is tried again and finds what it had stored.
#
#   BUCKET=my-bucket IMAGE=…/imgmill:0.1.0 EXECUTION_ROLE=… JOB_ROLE=… LOG_GROUP=… SUBNETS=subnet-1,subnet-2 \
#     SECURITY_GROUP=sg-1 AWS_REGION=eu-west-1 deploy/batch/submit.sh setup
#   … deploy/batch/submit.sh run JOBS s3://BUCKET/lists/list.csv s3://BUCKET/runs/NAME/output.csv s3://BUCKET/runs/NAME/failed.csv
#   … deploy/batch/submit.sh remove
#
# Roles, log group and network are outputs of the stacks ImgmillFleet (RunTaskRoleArn, RunExecutionRoleArn, RunLogGroup) and
# ImgmillBase (Subnets, SecurityGroup). `print NAME` shows what would be sent: compute-environment, job-queue, job-definition.
set -eu

here=$(dirname "$0")

# The file with its ${NAME}s filled in from the environment; a list becomes several words.
fill() {
    python3 - "$here/$1.json" <<'PYTHON'
import json, os, re, sys

def filled(value):
    if isinstance(value, dict):
        return {key: filled(one) for key, one in value.items()}
    if isinstance(value, list):
        return [part for one in value for part in (filled(one).split(",") if one == "${SUBNETS}" else [filled(one)])]
    return re.sub(r"\$\{(\w+)\}", variable, value) if isinstance(value, str) else value

def variable(match):
    name = match.group(1)
    if not os.environ.get(name):
        sys.exit(f"submit.sh: {name} is not set; the top of this file says where it comes from")
    return os.environ[name]

print(json.dumps(filled(json.load(open(sys.argv[1]))), indent=2))
PYTHON
}

# valid COMMAND…: waits until what was made can be used.
valid() {
    until [ "$("$@" --query '*[0].status' --output text)" = VALID ]; do sleep 3; done
}

case ${1:-} in
    print)
        fill "$2"
        ;;
    setup)
        # First all three are filled in, so that nothing is made where a variable is missing.
        environment=$(fill compute-environment) queue=$(fill job-queue) definition=$(fill job-definition)
        aws batch create-compute-environment --cli-input-json "$environment"
        valid aws batch describe-compute-environments --compute-environments imgmill
        aws batch create-job-queue --cli-input-json "$queue"
        valid aws batch describe-job-queues --job-queues imgmill
        aws batch register-job-definition --cli-input-json "$definition"
        ;;
    run)
        [ $# -eq 5 ] || { echo "submit.sh: run wants JOBS INPUT OUTPUT FAILED" >&2; exit 2; }
        # An array has two jobs at least.
        aws batch submit-job --job-name imgmill --job-queue imgmill --job-definition imgmill-run \
            --array-properties "size=$2" --parameters "input=$3,output=$4,failed=$5"
        ;;
    remove)
        aws batch update-job-queue --job-queue imgmill --state DISABLED
        valid aws batch describe-job-queues --job-queues imgmill
        aws batch delete-job-queue --job-queue imgmill
        aws batch update-compute-environment --compute-environment imgmill --state DISABLED
        valid aws batch describe-compute-environments --compute-environments imgmill
        echo "submit.sh: when the queue is gone: aws batch delete-compute-environment --compute-environment imgmill"
        ;;
    *)
        sed -n '2,/^set -eu/p' "$0" | sed '$d; s/^# \{0,1\}//'
        exit 2
        ;;
esac
