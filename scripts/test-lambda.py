#!/usr/bin/env python3
"""Each handler of `imgmill lambda` with events as AWS documents them: under `cargo lambda watch`, and, where the deadline
matters, under a runtime interface of our own, which says a true one. `scripts/test-lambda.sh` sets everything up."""

import argparse
import contextlib
import http.server
import json
import os
import pathlib
import queue
import signal
import struct
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zlib

REGION = "eu-west-1"
WATCH = 9010


def png(side, shade):
    """A gray image, without any library."""
    rows = b"".join(b"\0" + bytes((shade + x) % 256 for x in range(side)) for _ in range(side))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Gallery(http.server.BaseHTTPRequestHandler):
    """/N.png is an image, /slow/N.png one that takes its time, everything else 404."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        if self.path.startswith("/slow/"):
            time.sleep(30)
        body = png(64, int(name[:-4])) if name.endswith(".png") else b"not found"
        with contextlib.suppress(OSError):
            self.send_response(200 if name.endswith(".png") else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    """Functions are killed in the middle of what they ask: that is no news."""

    def handle_error(self, *_):
        pass


def serve(handler):
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def request(url, body=None, method=None, headers=None):
    asked = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    with urllib.request.urlopen(asked, timeout=120) as answer:
        return answer.read()


class Place:
    """A folder, moto, and the environment of a function."""

    def __init__(self, moto, folder, program):
        self.moto, self.folder, self.program = moto, pathlib.Path(folder), program
        self.images = serve(Gallery)

    def environment(self, **more):
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "CARGO_TARGET_DIR", "CARGO_HOME", "RUSTUP_HOME") if name in os.environ}
        return kept | {
            "AWS_ENDPOINT_URL": self.moto, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing", "TMPDIR": str(self.folder), "AWS_EC2_METADATA_DISABLED": "true",
        } | more

    def aws(self, service):
        import boto3
        return boto3.client(service, endpoint_url=self.moto, region_name=REGION, aws_access_key_id="testing",
                            aws_secret_access_key="testing")


@contextlib.contextmanager
def watched(place, features, **environment):
    """A function under cargo-lambda, or where that is not wanted under our own interface; what is yielded calls it."""
    if place.program:
        with hosted(place, place.program, **environment) as runtime:
            yield lambda event: runtime.call(event, 60)[1]
        return
    log = open(place.folder / "watch.log", "ab")
    command = ["cargo", "lambda", "watch", "--invoke-address", "127.0.0.1", "--invoke-port", str(WATCH), "--ignore-changes",
               "--features", features, "--bin", "imgmill"]
    process = subprocess.Popen(command, env=place.environment(**environment), stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{WATCH}/2015-03-31/functions/imgmill/invocations"

    def call(event):
        deadline = time.time() + 240
        while True:
            try:
                return json.loads(request(url, json.dumps(event).encode()))
            except urllib.error.HTTPError as error:
                return {"failed": error.code, "said": error.read().decode()}
            except (ConnectionError, urllib.error.URLError):
                if time.time() > deadline or process.poll() is not None:
                    raise SystemExit("cargo lambda did not answer; it said:\n" + (place.folder / "watch.log").read_text())
                time.sleep(0.3)

    try:
        yield call
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        # The port is to be free for the next.
        time.sleep(0.5)


class Runtime:
    """Lambda's runtime interface: one event at a time, with a deadline that is meant."""

    def __init__(self):
        self.events, self.answers = queue.Queue(), queue.Queue()
        self.asked = threading.Event()
        runtime = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                runtime.asked.set()
                seconds, event = runtime.events.get()
                body = json.dumps(event).encode()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "00000000-0000-0000-0000-000000000001")
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + seconds) * 1000)))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:123456789012:function:imgmill")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) if "Content-Length" in self.headers else self.chunked()
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()
                runtime.answers.put((self.path.rsplit("/", 1)[-1], json.loads(body or b"null")))

            def chunked(self):
                body = b""
                while size := int(self.rfile.readline().strip(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def log_message(self, *_):
                pass

        self.address = serve(Handler).removeprefix("http://")

    def call(self, event, seconds):
        self.events.put((seconds, event))
        return self.answers.get(timeout=seconds + 30)


@contextlib.contextmanager
def hosted(place, program, **environment):
    runtime = Runtime()
    more = {"AWS_LAMBDA_RUNTIME_API": runtime.address, "AWS_LAMBDA_FUNCTION_NAME": "imgmill", "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024"}
    process = subprocess.Popen([program], env=place.environment(**more, **environment), stderr=open(place.folder / "hosted.log", "ab"))
    try:
        yield runtime
    finally:
        process.kill()
        process.wait()


def s3_record(bucket, key, size=9):
    return {"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": REGION, "eventTime": "2026-01-02T03:04:05.678Z",
            "eventName": "ObjectCreated:Put", "userIdentity": {"principalId": "A"}, "requestParameters": {"sourceIPAddress": "127.0.0.1"},
            "responseElements": {"x-amz-request-id": "R"},
            "s3": {"s3SchemaVersion": "1.0", "configurationId": "c", "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                   "object": {"key": key, "size": size, "eTag": "0123456789abcdef", "sequencer": "0A1B2C3D4E5F678901"}}}


def s3_event(bucket, *keys, size=9):
    return {"Records": [s3_record(bucket, key, size) for key in keys]}


def sns(event):
    return {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": "arn:aws:sns:x",
                         "Sns": {"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:x", "Message": json.dumps(event)}}]}


def sqs(*bodies, queue_name="images"):
    return {"Records": [
        {"messageId": f"m{number}", "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a", "body": body if isinstance(body, str) else json.dumps(body),
         "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1767323045678", "SenderId": "A", "ApproximateFirstReceiveTimestamp": "1767323045680"},
         "messageAttributes": {}, "md5OfBody": "x", "eventSource": "aws:sqs",
         "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:{queue_name}", "awsRegion": REGION}
        for number, body in enumerate(bodies)]}


def event_bridge(bucket, key):
    return {"version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Object Created", "source": "aws.s3",
            "account": "123456789012", "time": "2026-01-02T03:04:05Z", "region": REGION, "resources": [f"arn:aws:s3:::{bucket}"],
            "detail": {"version": "0", "bucket": {"name": bucket}, "object": {"key": key, "size": 9, "etag": "x", "sequencer": "00617F08299329D189"},
                       "request-id": "N", "requester": "123456789012", "reason": "PutObject"}}


def failures(answer):
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


def expect(what, found, wanted):
    if found != wanted:
        raise SystemExit(f"{what}: expected {wanted!r}, found {found!r}")


def holds(what, condition, found):
    if not condition:
        raise SystemExit(f"{what}: found {found!r}")


def test_record(place, features):
    records = place.folder / "records"
    with watched(place, features, IMGMILL_HANDLER="record", PROCESS_BUCKET=f"file://{records}") as call:
        answer = call(s3_event("rbsc", "a/x+1.png", "notes.txt"))
        expect("an event of S3", (answer["recorded"], answer["skipped"]), (1, {"not an image by its extension": 1}))
        expect("the same again", call(s3_event("rbsc", "a/x+1.png"))["known"], 1)
        expect("through SNS", call(sns(s3_event("rbsc", "a/y.png")))["recorded"], 1)
        expect("through EventBridge", call(event_bridge("rbsc", "a/z.png"))["recorded"], 1)
        answer = call(sqs(s3_event("rbsc", "a/v.png"), "poison", sns(s3_event("rbsc", "a/w.png"))))
        expect("through SQS", (answer["recorded"], failures(answer)), (2, ["m1"]))
        holds("another event", "failed" in str(call({"hello": 1})) or "errorMessage" in str(call({"hello": 1})), call({"hello": 1}))
    expect("records", len([file for file in records.rglob("*.json") if "v2" in file.parts]), 5)


def test_derive(place, features):
    s3 = place.aws("s3")
    for name in ("originals", "derivatives"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="originals", Key="a b/ü.png", Body=png(64, 1))
    event = s3_event("originals", "a+b/%C3%BC.png", "notes.txt")
    arguments = "--derive 'small=full/!32,32/0/default.jpg' --key '{path}/{stem}_{label}.{ext}'"
    with watched(place, features, IMGMILL_HANDLER="derive", S3_BUCKET="derivatives", IMGMILL_ARGUMENTS=arguments) as call:
        for shape in (event, sns(event), event_bridge("originals", "a b/ü.png")):
            answer = call(shape)
            expect("an image", [one["label"] for one in answer["images"][0]["renditions"]], ["small"])
        expect("through SQS", failures(call(sqs(event, s3_event("originals", "none.png"), "poison"))), ["m2", "m1"])
        answer = call(s3_event("originals", "huge.png", size=1 << 40))
        holds("one that is too large", "IMGMILL_HANDLER=ecs" in str(answer), answer)
        answer = call(s3_event("derivatives", "a.png"))
        holds("a loop", "would bring the next event" in str(answer), answer)
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket="derivatives")["Contents"] if ".imgmill" not in found["Key"]]
    expect("derivatives", keys, ["a b/ü_small.jpg"])


def test_process(place, features):
    images, kept = place.folder / "images", place.folder / "kept"
    images.mkdir()
    (images / "a b.png").write_bytes(png(64, 5))
    config = {"level": {"compliance": "2"}, "graphics": {"source": {"name": "VIPS"}}, "features": {},
              "images": {"source": {"name": "Disk", "path": str(images)}, "cache": {"name": "Memory"}},
              "derivatives": {"cache": {"name": "Disk", "path": str(kept)}}}
    instructions = {"b": {"size": "!32,32", "format": "jpg"}}
    kept.mkdir()
    arguments = f"-config '{json.dumps(config)}' -instructions '{json.dumps(instructions)}' -report"
    with watched(place, features, IMGMILL_HANDLER="process", IMGMILL_ARGUMENTS=arguments) as call:
        answer = call(s3_event("images", "a+b.png", "notes.txt"))
        expect("dimensions", answer["reports"]["a b.png"]["dimensions"], {"b": [32, 32]})
        expect("what is no image", answer["skipped"], ["notes.txt"])
        holds("an image that is not there", "1 of 1 URIs failed" in str(call(s3_event("images", "none.png"))), None)
    holds("derivatives", (kept / "a b.png/full/!32,32/0/color.jpg").is_file(), list(kept.rglob("*")))
    holds("a report", (kept / "a b.png/process.json").is_file(), list(kept.rglob("*")))


def test_map(place, features):
    place.aws("s3").create_bucket(Bucket="map", CreateBucketConfiguration={"LocationConstraint": REGION})
    place.aws("s3").put_object(Bucket="map", Key="in/x 1.png", Body=png(64, 9))
    event = {"BatchInput": {"arguments": ["--derive", "t=square/!16,16/0/default.png"]},
             "Items": [{"row": 0, "url": f"{place.images}/1.png"}, {"row": 1, "url": f"{place.images}/none"},
                       {"row": 2, "Bucket": "map", "Key": "in/x+1.png"}]}
    with watched(place, features, IMGMILL_HANDLER="map", S3_BUCKET="map", IMGMILL_ARGUMENTS="--retries 0") as call:
        answer = call(event)
        expect("rows", [(row["row"], row["status"]) for row in answer["rows"]], [(0, "stored"), (1, "failed"), (2, "stored")])
        expect("labels", answer["rows"][2]["renditions"][0]["label"], "t")
        expect("a failed row", (answer["rows"][1]["kind"], answer["failed"]), ("http_status", 1))
        holds("another event", "Distributed Map" in str(call({"x": 1})), None)


def test_batch(place, features):
    place.aws("s3").create_bucket(Bucket="batch", CreateBucketConfiguration={"LocationConstraint": REGION})
    place.aws("s3").put_object(Bucket="batch", Key="in/a 1.png", Body=png(64, 3))
    old = {"invocationSchemaVersion": "1.0", "invocationId": "YXNkbGZqYWRmaiBhc2RmdW9hZHNmZGpmaGFzbGtkaGZza2RmaAo",
           "job": {"id": "f3cc4f60-61f6-4a2b-8a21-d07600c373ce"},
           "tasks": [{"taskId": "t1", "s3Key": "in/a+1.png", "s3VersionId": None, "s3BucketArn": "arn:aws:s3:::batch"},
                     {"taskId": "t2", "s3Key": "none.png", "s3VersionId": None, "s3BucketArn": "arn:aws:s3:::batch"}]}
    new = {"invocationSchemaVersion": "2.0", "invocationId": "i", "job": {"id": "f3", "userArguments": {"k": "v"}},
           "tasks": [{"taskId": "t1", "s3Key": "in/a%201.png", "s3VersionId": None, "s3Bucket": "batch"}]}
    with watched(place, features, IMGMILL_HANDLER="batch", IMGMILL_ARGUMENTS="--store s3://batch/out") as call:
        answer = call(old)
        expect("codes", [(one["taskId"], one["resultCode"]) for one in answer["results"]], [("t1", "Succeeded"), ("t2", "PermanentFailure")])
        expect("the invocation", (answer["invocationId"], answer["invocationSchemaVersion"]), (old["invocationId"], "1.0"))
        holds("the result", "/batch/out/" in answer["results"][0]["resultString"], answer)
        answer = call(new)
        expect("2.0", (answer["invocationSchemaVersion"], answer["results"][0]["resultCode"]), ("2.0", "Succeeded"))


def test_worker(place, features):
    client = place.aws("sqs")
    client.create_queue(QueueName="images")
    done = client.create_queue(QueueName="Done")["QueueUrl"]
    place.aws("s3").create_bucket(Bucket="worker", CreateBucketConfiguration={"LocationConstraint": REGION})
    host = place.images.removeprefix("http://")
    message = lambda number: {"image_url": f"{place.images}/{number}.png", "redirect_queue": "Done", "bucket_name": "T", "n": number}
    arguments = f"--allow-host {host}"
    with watched(place, features, IMGMILL_HANDLER="worker", S3_BUCKET="worker", IMGMILL_ARGUMENTS=arguments) as call:
        answer = call(sqs(message(1), "poison {", message(2)))
        expect("one poison message", answer, {"batchItemFailures": [{"itemIdentifier": "m1"}]})
        expect("nothing to do", call(sqs({"hello": 1})), {"batchItemFailures": []})
        holds("another event", "messages of SQS" in str(call(s3_event("a", "b.png"))), None)
    told = [json.loads(found["Body"]) for found in client.receive_message(QueueUrl=done, MaxNumberOfMessages=10)["Messages"]]
    expect("who was told", sorted(one["n"] for one in told), [1, 2])
    holds("of what", set(told[0]["image_url_info"]) == {"50x50", "250X250", "800x800"}, told[0])


def test_report(place, features):
    kept = place.folder / "reports"
    detail = {"taskArn": f"arn:aws:ecs:{REGION}:123456789012:task/c/0b69d5c0", "clusterArn": "arn:c", "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited",
              "stoppedReason": "Essential container in task exited", "containers": [{"name": "iiif", "exitCode": 3, "lastStatus": "STOPPED"}]}
    event = {"version": "0", "detail-type": "ECS Task State Change", "source": "aws.ecs", "detail": detail}
    with watched(place, features, IMGMILL_HANDLER="report", IMGMILL_REPORT_STORE=f"file://{kept}") as call:
        answer = call(event)
        expect("a task that failed", (answer["outcome"], answer["exitCode"]), ("failed", 3))
    expect("what is kept", json.loads((kept / "0b69d5c0.json").read_text()), answer)


def test_ecs(place, features):
    if "fleet" not in features:
        return
    ecs = place.aws("ecs")
    ecs.create_cluster(clusterName="default")
    ecs.register_task_definition(family="iiif-process", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512",
                                 containerDefinitions=[{"name": "iiif-process", "image": "x", "memory": 128}])
    ec2 = place.aws("ec2")
    subnets = ",".join(found["SubnetId"] for found in ec2.describe_subnets()["Subnets"][:2])
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    environment = {"IIIF_PROCESS_MODE": "lambda", "IIIF_PROCESS_ECS_DSN": f"region={REGION} credentials=env:", "IIIF_PROCESS_SUBNET": subnets,
                   "IIIF_PROCESS_SECURITY_GROUP": group, "IIIF_PROCESS_TASK": "iiif-process:1", "IIIF_PROCESS_WAIT": "true"}
    with watched(place, features, **environment) as call:
        answer = call(s3_event("originals", "a+b/x.png", "notes.txt"))
        expect("a task", (len(answer["tasks"]), answer["uris"], answer["skipped"]), (1, ["a b/x.png"], ["notes.txt"]))
        expect("no image", call(s3_event("originals", "notes.txt"))["tasks"], [])
    task = ecs.describe_tasks(tasks=answer["tasks"])["tasks"][0]
    expect("its command", task["overrides"]["containerOverrides"][0]["command"][-2:], ["-uri", "x.png"])


def test_deadline(place, program):
    """Work ends in time to answer, whatever is under way; and the first event is asked for soon."""
    event = {"Items": [{"row": 0, "url": f"{place.images}/4.png"}, {"row": 1, "url": f"{place.images}/slow/5.png"}]}
    with hosted(place, program, IMGMILL_HANDLER="map", IMGMILL_ARGUMENTS=f"--store file://{place.folder}/late") as runtime:
        started = time.time()
        kind, answer = runtime.call(event, 4)
        holds("the answer came in time", time.time() - started < 4, time.time() - started)
        expect("it failed so that it is tried again", (kind, answer["errorType"]), ("error", "RowsUnfinished"))
        holds("what was done is stored", list((place.folder / "late").rglob("*.jpg")) != [], None)
        batch = {"invocationSchemaVersion": "2.0", "invocationId": "i", "job": {"id": "j"}, "tasks": []}
        kind, answer = runtime.call({"Items": [event["Items"][0]]}, 10)
        expect("the next invocation", (kind, answer["stored"]), ("response", 1))
    with hosted(place, program, IMGMILL_HANDLER="batch", S3_BUCKET="none") as runtime:
        kind, answer = runtime.call(batch, 10)
        expect("a bucket that is not there", (kind, answer["errorType"]), ("error", "PermanentFailure"))
    wrong = subprocess.run([program], env=place.environment(AWS_LAMBDA_RUNTIME_API="127.0.0.1:9", IMGMILL_HANDLER="marble"), capture_output=True, text=True)
    expect("a wrong name is said at once", (wrong.returncode, "record, worker, ecs" in wrong.stderr), (2, True))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--moto", required=True)
    parser.add_argument("--features", required=True)
    parser.add_argument("--hosted", action="store_true", help="without cargo-lambda: under an interface of our own alone")
    parser.add_argument("only", nargs="*")
    arguments = parser.parse_args()
    for _ in range(150):
        with contextlib.suppress(OSError):
            request(f"{arguments.moto}/moto-api/")
            break
        time.sleep(0.2)
    program = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target"), "debug/imgmill").resolve()
    tests = [("record", test_record), ("derive", test_derive), ("process", test_process), ("map", test_map), ("batch", test_batch), ("worker", test_worker),
             ("report", test_report), ("ecs", test_ecs)]
    with tempfile.TemporaryDirectory(prefix="imgmill-lambda-") as folder:
        place = Place(arguments.moto, folder, program if arguments.hosted else None)
        for name, test in tests:
            if not arguments.only or name in arguments.only:
                test(place, arguments.features)
                print(f"{name}: as it should be", flush=True)
        if not arguments.only or "deadline" in arguments.only:
            test_deadline(place, program)
            print("deadline: as it should be", flush=True)


if __name__ == "__main__":
    main()
