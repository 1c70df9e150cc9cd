#!/bin/sh
# Infrastructure, without an account: the CDK app is built, its stacks asserted and synthesized, cfn-lint reads the templates, moto's
# CloudFormation creates them, and manifests for Kubernetes and AWS Batch are checked. Installs what that takes into
# bench/work/deploy and deploy/cdk/node_modules; wants Node.js 20 and Python 3.
set -eu

work=$(pwd)/${DEPLOY_TEST_WORK:-bench/work/deploy}
fail() { echo "test-deploy: $*" >&2; exit 1; }
step() { echo; echo "== $*"; }

command -v npm >/dev/null || fail "npm is missing: install Node.js 20 or newer (https://nodejs.org)"
major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
[ "$major" -ge 20 ] || fail "Node.js $major is too old: install 20 or newer (https://nodejs.org)"

step "installing"
mkdir -p "$work"
stamp="$work/installed-2"
if ! [ -e "$stamp" ]; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install -q 'cfn-lint==1.58.0' 'moto[server,stepfunctions]==5.2.5' 'boto3>=1.40' 'kubernetes-validate==1.37.0' 'pyyaml>=6'
    touch "$stamp"
fi
cd deploy/cdk
if ! [ node_modules/.package-lock.json -nt package-lock.json ]; then
    npm ci --no-audit --no-fund --loglevel=error
    touch node_modules/.package-lock.json
fi

step "assertions on the stacks, and the state machine's definition"
npm test --silent

step "cdk synth, offline, with a stand-in for the functions' zip"
zip="$work/stand-in.zip"
[ -e "$zip" ] || printf 'PK' >"$zip"
rm -rf "$work/cdk.out"
if node_modules/.bin/cdk synth --quiet --output "$work/none" -c lambdaZip=/nowhere.zip >"$work/refused.log" 2>&1; then
    fail "a zip that is not there was accepted"
fi
grep -q 'lambdaZip: /nowhere.zip is not there; build it with' "$work/refused.log" || { cat "$work/refused.log" >&2; fail "no clear error for a missing zip"; }
node_modules/.bin/cdk synth --quiet --output "$work/cdk.out" -c lambdaZip="$zip" >"$work/synth.log" 2>&1 || { cat "$work/synth.log" >&2; exit 1; }
ls "$work/cdk.out"/*.template.json

step "cfn-lint"
# W3005: the CDK names the role's dependency that a reference implies. More words than needed, and not ours.
"$work/venv/bin/cfn-lint" --ignore-checks W3005 -- "$work/cdk.out"/*.template.json
echo "no findings"

step "the same with everything imported"
node_modules/.bin/cdk synth --quiet --output "$work/imported.out" -c lambdaImage=imgmill:0.1.0 \
    -c vpcId=vpc-0123456789abcdef0 -c subnetIds=subnet-0123456789abcdef0,subnet-0123456789abcdef1 \
    -c availabilityZones=eu-west-1a,eu-west-1b -c securityGroupId=sg-0123456789abcdef0 \
    -c listBucket=example-list -c sourcesBucket=example-originals -c recordsBucket=example-process -c imagesBucket=example-pyramids \
    -c workerBucket=example-worker -c processSourceBucket=example-sources -c processCacheBucket=example-cache -c fleetBucket=example-fleet \
    -c queueArn=arn:aws:sqs:eu-west-1:123456789012:ImageQueue.fifo >"$work/synth.log" 2>&1 || { cat "$work/synth.log" >&2; exit 1; }
"$work/venv/bin/cfn-lint" --ignore-checks W3005 -- "$work/imported.out"/*.template.json
echo "no findings"

step "created in moto's CloudFormation"
cd ../..
"$work/venv/bin/python" deploy/test/create_stacks.py "$work/cdk.out"

step "the Distributed Map, run over a list"
"$work/venv/bin/python" deploy/test/run_map.py

step "Kubernetes and AWS Batch"
"$work/venv/bin/python" deploy/test/check_manifests.py
