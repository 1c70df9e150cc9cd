//! `imgmill ecs` against moto, which runs nothing: a task goes through its states one look at a time, and its log lines are
//! written by the test.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Place, Ran};
use crate::proxy::{Fault, Proxy};
use crate::{endpoint, environment, make_bucket};

/// How tasks go through their states is the same for all of moto, so one test has it at a time.
static TURN: Mutex<()> = Mutex::new(());

pub fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says something to moto by boto3; the last line is printed as JSON.
pub fn aws(script: &str) -> Value {
    let prelude = "import boto3, json, os, urllib.request\n\
        def client(name): return boto3.client(name, endpoint_url=os.environ['MOTO_ENDPOINT'], region_name='eu-west-1',\n\
        \x20   aws_access_key_id='testing', aws_secret_access_key='testing')\n\
        def moto(path, body): urllib.request.urlopen(urllib.request.Request(os.environ['MOTO_ENDPOINT'] + '/moto-api' + path,\n\
        \x20   data=json.dumps(body).encode(), headers={'Content-Type': 'application/json'}))\n";
    let python = std::env::var("TEST_PYTHON").expect("make test-aws sets TEST_PYTHON");
    let output = Command::new(python).args(["-c", &format!("{prelude}{script}")]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// A cluster, a task definition and a network of the test's own; answers a subnet and a security group.
pub fn fleet(name: &str) -> (String, String) {
    let made = aws(&format!(
        "moto('/state-manager/set-transition', {{'model_name': 'ecs::task', 'transition': {{'progression': 'manual', 'times': 1}}}})\n\
         ecs = client('ecs')\n\
         ecs.create_cluster(clusterName='{name}')\n\
         logs = {{'logDriver': 'awslogs', 'options': {{'awslogs-group': '/{name}', 'awslogs-region': 'eu-west-1', 'awslogs-stream-prefix': 'run'}}}}\n\
         ecs.register_task_definition(family='{name}', requiresCompatibilities=['FARGATE'], networkMode='awsvpc', cpu='256', memory='512',\n\
         \x20   containerDefinitions=[{{'name': 'iiif', 'image': 'x', 'memory': 128, 'logConfiguration': logs}}])\n\
         client('logs').create_log_group(logGroupName='/{name}')\n\
         ec2 = client('ec2')\n\
         print(json.dumps([ec2.describe_subnets()['Subnets'][0]['SubnetId'], ec2.describe_security_groups()['SecurityGroups'][0]['GroupId']]))"
    ));
    (made[0].as_str().unwrap().to_owned(), made[1].as_str().unwrap().to_owned())
}

/// The tool, on `fleet(name)`, by way of `endpoint`.
fn tool(place: &Place, name: &str, network: &(String, String), endpoint: &str, more: &[&str]) -> Child {
    let mut command = place.command();
    command.env("AWS_ENDPOINT_URL", endpoint);
    command.args(["ecs", "-mode", "task", "-ecs-dsn", "region=eu-west-1 credentials=env:", "-cluster", name]);
    command.args(["-container", "iiif", "-task", &format!("{name}:1")]);
    command.args(["-subnet", &network.0, "-security-group", &network.1]);
    command.args(more).spawn().unwrap()
}

fn place() -> Place {
    Place::new().with_environment(environment("none", &[]))
}

fn arn(stdout: &str) -> String {
    let line = stdout.lines().next().unwrap_or_default();
    let arn = line.split_whitespace().nth(2).unwrap_or_default();
    assert!(arn.starts_with("arn:aws:ecs:eu-west-1:"), "{stdout}");
    arn.to_owned()
}

fn overridden(name: &str, arn: &str) -> Vec<String> {
    let task = aws(&format!(
        "print(json.dumps(client('ecs').describe_tasks(cluster='{name}', tasks=['{arn}'])['tasks'][0], default=str))"
    ));
    let command = task["overrides"]["containerOverrides"][0]["command"].as_array().unwrap();
    command.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_task_is_started_with_the_documents_command() {
    let _turn = turn();
    let (place, network) = (place(), fleet("started"));
    let flags = ["-uri", "a/IMG_0084.JPG", "-report", "-uri", "b.png"];
    let ran = Ran::of(tool(&place, "started", &network, &endpoint(), &flags)).expect(0);
    let command = overridden("started", &arn(&ran.stdout));
    assert_eq!(
        command.join(" "),
        "/bin/iiif-process -config /etc/go-iiif/config.json -instructions /etc/go-iiif/instructions.json \
         -report -report-name process.json -uri IMG_0084.JPG -uri b.png"
    );
    let ran = Ran::of(tool(&place, "started", &network, &endpoint(), &["-uri", "notes.txt"])).expect(2);
    assert!(ran.stderr.contains("notes.txt is not an image"), "{}", ran.stderr);
}

#[test]
fn a_link_reads_the_documents_environment() {
    let _turn = turn();
    let (place, network) = (place(), fleet("linked"));
    let link = place.path("iiif-process-ecs");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_imgmill"), &link).unwrap();
    std::fs::write(place.path("keys"), "[work]\naws_access_key_id = a\naws_secret_access_key = b\n").unwrap();
    let dsn = format!("region=eu-west-1 credentials={}:work", place.path("keys").display());
    let ran = Command::new(&link)
        .env_clear()
        .env("HOME", place.path(""))
        .env("AWS_ENDPOINT_URL", endpoint())
        .env("IIIF_PROCESS_ECS_DSN", dsn)
        .env("IIIF_PROCESS_CLUSTER", "linked")
        .env("IIIF_PROCESS_CONTAINER", "iiif")
        .env("IIIF_PROCESS_TASK", "linked:1")
        .env("IIIF_PROCESS_SUBNET", format!("{},{}", network.0, network.0))
        .env("IIIF_PROCESS_SECURITY_GROUP", &network.1)
        .env("IIIF_PROCESS_URI", "a.jpg,b.jpg")
        .output()
        .unwrap();
    let ran = Ran::from(ran).expect(0);
    assert!(overridden("linked", &arn(&ran.stdout)).ends_with(&[
        "-uri".into(),
        "a.jpg".into(),
        "-uri".into(),
        "b.jpg".into()
    ]));
}

#[test]
fn waiting_shows_every_state_and_line_and_ends_as_the_container_does() {
    let _turn = turn();
    let (place, network) = (place(), fleet("waited"));
    let proxy = Proxy::before(&endpoint()).fault("DescribeTasks", Fault::Throttle(12)).fault(
        "DescribeTasks",
        Fault::Say(vec![(
            "\"exitCode\": 0",
            "\"exitCode\": 3, \"reason\": \"OutOfMemoryError: Container killed\"".into(),
        )]),
    );
    let mut child = tool(&place, "waited", &network, proxy.endpoint(), &["-uri", "a.jpg", "-logs"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let id = arn(&lines.next().unwrap().unwrap()).rsplit('/').next().unwrap().to_owned();
    // Lines come in pieces, one of them larger than a page of CloudWatch Logs would be in moto's time.
    aws(&format!(
        "import time\nlogs = client('logs')\n\
         time.sleep(3)\n\
         logs.create_log_stream(logGroupName='/waited', logStreamName='run/iiif/{id}')\n\
         number = 0\n\
         for size in (3, 40, 1, 200, 7):\n\
         \x20   now = int(time.time() * 1000)\n\
         \x20   events = [{{'timestamp': now + i, 'message': f'line {{number + i}}'}} for i in range(size)]\n\
         \x20   logs.put_log_events(logGroupName='/waited', logStreamName='run/iiif/{id}', logEvents=events)\n\
         \x20   number += size\n\
         \x20   time.sleep(1.5)\n"
    ));
    let told: Vec<String> = lines.map(Result::unwrap).collect();
    let ran = Ran::of(child).expect(3);
    let expected: Vec<String> = (0..251).map(|number| format!("line {number}")).collect();
    assert_eq!(told, expected, "in order, none missing, none twice");
    for state in ["STOPPING", "DEPROVISIONING"] {
        assert!(ran.stderr.contains(&format!("is {state}")), "{state}: {}", ran.stderr);
    }
    assert!(
        ran.stderr.contains("failed with exit code 3") && ran.stderr.contains("it ran out of memory"),
        "{}",
        ran.stderr
    );
    assert!(proxy.count("DescribeTasks") > 12);
}

#[test]
fn what_one_may_not_ask_is_named_and_done_without() {
    let _turn = turn();
    let (place, network) = (place(), fleet("denied"));
    let proxy = Proxy::before(&endpoint()).fault("DescribeTasks", Fault::Deny);
    let ran =
        Ran::of(tool(&place, "denied", &network, proxy.endpoint(), &["-uri", "a.jpg", "-wait"])).expect(0);
    assert!(ran.stderr.contains("-wait needs the permission ecs:DescribeTasks"), "{}", ran.stderr);
    let proxy = Proxy::before(&endpoint()).fault("GetLogEvents", Fault::Deny);
    let ran =
        Ran::of(tool(&place, "denied", &network, proxy.endpoint(), &["-uri", "a.jpg", "-logs"])).expect(0);
    assert!(ran.stderr.contains("logs:GetLogEvents") && ran.stderr.contains("is done"), "{}", ran.stderr);
    let proxy = Proxy::before(&endpoint()).fault("RunTask", Fault::Deny);
    let ran = Ran::of(tool(&place, "denied", &network, proxy.endpoint(), &["-uri", "a.jpg"]));
    assert_ne!(ran.code, Some(0));
    assert!(ran.stderr.contains("the credentials may not do that"), "{}", ran.stderr);
    let proxy = Proxy::before(&endpoint()).fault("RunTask", Fault::Throttle(7));
    Ran::of(tool(&place, "denied", &network, proxy.endpoint(), &["-uri", "a.jpg"])).expect(0);
    let ran = Ran::of(tool(&place, "nowhere", &network, &endpoint(), &["-uri", "a.jpg"]));
    assert!(ran.code != Some(0) && ran.stderr.lines().count() == 1, "{}", ran.stderr);
}

#[test]
fn who_is_interrupted_stops_the_task_if_asked_to() {
    let _turn = turn();
    let (place, network) = (place(), fleet("stopped"));
    for (flags, status) in [(&["-stop-on-interrupt"][..], "STOPPED"), (&[], "RUNNING")] {
        // It stays as it is until it is stopped.
        aws(
            "moto('/state-manager/set-transition', {'model_name': 'ecs::task', 'transition': {'progression': 'manual', 'times': 1000}})",
        );
        let more = [&["-uri", "a.jpg", "-wait"], flags].concat();
        let mut child = tool(&place, "stopped", &network, &endpoint(), &more);
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        std::thread::sleep(Duration::from_secs(1));
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        if !flags.is_empty() {
            std::thread::sleep(Duration::from_secs(1));
            aws(
                "moto('/state-manager/set-transition', {'model_name': 'ecs::task', 'transition': {'progression': 'immediate'}})",
            );
        }
        let ran = Ran::of(child).expect(130);
        let task = arn(&line);
        let says = if flags.is_empty() { "the task goes on" } else { "stopping the task" };
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
        let found = aws(&format!(
            "print(json.dumps(client('ecs').describe_tasks(cluster='stopped', tasks=['{task}'])['tasks'][0]['desiredStatus']))"
        ));
        assert_eq!(found, status, "{}", ran.stderr);
    }
}

#[test]
fn a_long_list_of_uris_goes_through_a_bucket() {
    let _turn = turn();
    make_bucket("uris");
    let (place, network) = (place(), fleet("long"));
    let names: Vec<String> = (0..400).map(|number| format!("photograph-{number:06}.jpg")).collect();
    let mut flags: Vec<&str> = names.iter().flat_map(|name| ["-uri", name.as_str()]).collect();
    let ran = Ran::of(tool(&place, "long", &network, &endpoint(), &flags)).expect(2);
    assert!(ran.stderr.contains("ECS takes 8192; give -upload-uris"), "{}", ran.stderr);
    flags.extend(["-upload-uris", "s3://uris/lists"]);
    let ran = Ran::of(tool(&place, "long", &network, &endpoint(), &flags)).expect(0);
    let command = overridden("long", &arn(&ran.stdout));
    let [.., mode, csv, source, folder, uri, name] = &command[..] else { panic!("{command:?}") };
    assert_eq!([mode, csv, source, folder, uri], ["-mode", "csv", "-csv-source", "s3://uris/lists", "-uri"]);
    let list = aws(&format!(
        "print(json.dumps(client('s3').get_object(Bucket='uris', Key='lists/{name}')['Body'].read().decode()))"
    ));
    let listed: Vec<&str> = list.as_str().unwrap().lines().collect();
    assert_eq!((listed[0], listed.len(), listed[400]), ("uri", 401, "photograph-000399.jpg"));
}

#[test]
fn a_function_is_invoked_and_its_task_waited_for() {
    let _turn = turn();
    let (place, network) = (place(), fleet("invoked"));
    let started = Ran::of(tool(&place, "invoked", &network, &endpoint(), &["-uri", "a.jpg"])).expect(0);
    let task = arn(&started.stdout);
    aws(&format!(
        "import io, zipfile\n\
         moto('/config', {{'lambda': {{'use_docker': False}}}})\n\
         role = client('iam').create_role(RoleName='f', AssumeRolePolicyDocument='{{}}')['Role']['Arn']\n\
         packed = io.BytesIO()\n\
         zipfile.ZipFile(packed, 'w').writestr('bootstrap', 'x')\n\
         client('lambda').create_function(FunctionName='ProcessIIIF', Runtime='provided.al2023', Role=role, Handler='bootstrap',\n\
         \x20   Code={{'ZipFile': packed.getvalue() or b'x'}})\n\
         moto('/static/lambda-simple/response', {{'results': [json.dumps({{'tasks': ['{task}']}}), json.dumps({{'tasks': []}})], 'region': 'eu-west-1'}})"
    ));
    let invoke = |more: &[&str]| {
        let mut command = place.command();
        command.args(["ecs", "-mode", "invoke", "-lambda-dsn", "region=eu-west-1 credentials=env:"]);
        Ran::of(command.args(["-lambda-func", "ProcessIIIF"]).args(more).spawn().unwrap())
    };
    let flags = ["-lambda-type", "RequestResponse", "-uri", "avocado.png", "-uri", "toast.jpg"];
    let ran = invoke(&[&flags[..], &["-wait"]].concat()).expect(0);
    assert!(ran.stdout.contains(&task) && ran.stderr.contains("is done"), "{}\n{}", ran.stdout, ran.stderr);
    invoke(&flags).expect(0);
    assert!(invoke(&["-uri", "notes.txt"]).expect(2).stderr.contains("not an image"));
    // The stand-in of a function that answers as it was told would answer for any name.
    aws("moto('/config', {'lambda': {'use_docker': True}})");
    let ran = invoke(&["-lambda-func", "None", "-uri", "a.jpg"]);
    assert!(ran.code != Some(0) && ran.stderr.contains("there is no such function"), "{}", ran.stderr);
}
