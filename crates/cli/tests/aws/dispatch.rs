//! `imgmill dispatch` and `bucket drain --now` against moto. It runs no containers: the test does what they would do, and moto
//! has them end with 0.

use std::process::Child;

use crate::ecs::{aws, fleet, turn};
use crate::harness::{Place, Ran};
use crate::proxy::{Fault, Proxy};
use crate::{endpoint, environment, gallery, make_bucket};

fn dispatch(place: &Place, network: &(String, String), more: &[&str]) -> Child {
    let mut command = place.command();
    command.args([
        "dispatch",
        "--engine",
        "ecs",
        "--tasks",
        "3",
        "--cluster",
        "dispatched",
        "--task",
        "dispatched:1",
    ]);
    command.args(["--container", "iiif", "--subnet", &network.0, "--security-group", &network.1]);
    command.args(["--input", "s3://dispatched/list.csv", "--output", "s3://dispatched/run/out.csv"]);
    command.args(more).spawn().unwrap()
}

fn put(key: &str, text: &str) {
    aws(&format!(
        "client('s3').put_object(Bucket='dispatched', Key='{key}', Body={})",
        serde_json::json!(text)
    ));
}

fn get(key: &str) -> String {
    let found = aws(&format!(
        "print(json.dumps(client('s3').get_object(Bucket='dispatched', Key='{key}')['Body'].read().decode()))"
    ));
    found.as_str().unwrap().to_owned()
}

#[test]
fn tasks_share_a_list_and_their_parts_are_merged() {
    let _turn = turn();
    let network = fleet("dispatched");
    make_bucket("dispatched");
    let place = Place::new().with_environment(environment("dispatched", &[]));
    let (_server, urls) = gallery(7);
    put("list.csv", &format!("url\n{}\n", urls.join("\n")));
    let child = dispatch(&place, &network, &["--output-failed", "failed.csv", "--", "--retries", "0"]);
    // What the containers would do.
    for shard in ["0/3", "1/3", "2/3"] {
        let running = place
            .command()
            .args(["run", "--input", "s3://dispatched/list.csv", "--output", "s3://dispatched/run/out.csv"])
            .args(["--shard", shard, "--discard", "--work-dir", shard.split('/').next().unwrap()])
            .spawn();
        Ran::of(running.unwrap()).expect(0);
    }
    let ran = Ran::of(child).expect(0);
    assert!(ran.stderr.contains("7 rows: 7 stored, 0 failed, 0 missing"), "{}", ran.stderr);
    assert!(ran.stderr.contains("7 of 7 rows"), "the shards say how far they are: {}", ran.stderr);
    let merged = get("run/out.csv");
    let listed: Vec<&str> = merged.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(listed, urls);
    assert_eq!(std::fs::read_to_string(place.path("failed.csv")).unwrap(), "url\n");
    let commands = aws("ecs = client('ecs')\n\
         tasks = ecs.list_tasks(cluster='dispatched')['taskArns'] + ecs.list_tasks(cluster='dispatched', desiredStatus='STOPPED')['taskArns']\n\
         found = ecs.describe_tasks(cluster='dispatched', tasks=sorted(set(tasks)))['tasks']\n\
         print(json.dumps([task['overrides']['containerOverrides'][0]['command'] for task in found]))");
    let commands: Vec<String> = commands
        .as_array()
        .unwrap()
        .iter()
        .map(|words| {
            words.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(commands.len(), 3);
    for shard in ["0/3", "1/3", "2/3"] {
        assert!(
            commands.iter().any(|command| command.contains(&format!("--shard {shard} "))),
            "{commands:?}"
        );
    }
    assert!(
        commands[0].starts_with("/bin/imgmill run --input s3://dispatched/list.csv")
            && commands[0].ends_with("--retries 0")
    );
}

#[test]
fn the_results_of_a_distributed_map_are_merged() {
    let _turn = turn();
    make_bucket("mapped");
    let place = Place::new().with_environment(environment("mapped", &[]));
    // moto runs no maps either: its execution succeeds with what a map's output is.
    let answer = |row: u32, url: &str, stored: &str| {
        format!(
            "{{\"row\": {row}, \"url\": \"{url}\", \"status\": \"stored\", \"renditions\": [{{\"label\": \"g\", \"url\": \"{stored}\"}}]}}"
        )
    };
    let output = format!("{{\"rows\": [{}, {}]}}", answer(1, "b", "S2"), answer(0, "a", "S1"));
    let script = format!(
        "s3 = client('s3')\n\
         s3.put_object(Bucket='mapped', Key='list.csv', Body='url\\na\\nb\\nc\\n')\n\
         s3.put_object(Bucket='mapped', Key='run/1/SUCCEEDED_0.json', Body=json.dumps([{{'Output': {output:?}, 'Status': 'SUCCEEDED'}}]))\n\
         s3.put_object(Bucket='mapped', Key='run/1/manifest.json', Body=json.dumps({{'DestinationBucket': 'mapped', 'MapRunArn': 'arn',\n\
         \x20   'ResultFiles': {{'FAILED': [], 'PENDING': [], 'SUCCEEDED': [{{'Key': 'run/1/SUCCEEDED_0.json', 'Size': 1}}]}}}}))\n\
         result = {{'MapRunArn': 'arn', 'ResultWriterDetails': {{'Bucket': 'mapped', 'Key': 'run/1/manifest.json'}}}}\n\
         role = client('iam').create_role(RoleName='states', AssumeRolePolicyDocument='{{}}')['Role']['Arn']\n\
         definition = json.dumps({{'StartAt': 'Map', 'States': {{'Map': {{'Type': 'Pass', 'Result': result, 'End': True}}}}}})\n\
         moto('/config', {{'stepfunctions': {{'execute_state_machine': True}}}})\n\
         machine = client('stepfunctions').create_state_machine(name='map', definition=definition, roleArn=role)['stateMachineArn']\n\
         print(json.dumps(machine))"
    );
    let machine = aws(&script);
    let child = place
        .command()
        .args(["dispatch", "--engine", "stepfunctions", "--state-machine", machine.as_str().unwrap()])
        .args(["--input", "s3://mapped/list.csv", "--output", "s3://mapped/run/out.csv", "--batch", "20"])
        .spawn();
    let ran = Ran::of(child.unwrap()).expect(3);
    assert!(ran.stderr.contains("3 rows: 2 stored, 0 failed, 1 missing"), "{}", ran.stderr);
    let merged = aws(
        "print(json.dumps(client('s3').get_object(Bucket='mapped', Key='run/out.csv')['Body'].read().decode()))",
    );
    assert_eq!(merged, "url,input,output,s3url\na,,,S1\nb,,,S2\n");
    let input = aws(&format!(
        "sfn = client('stepfunctions')\n\
         arn = sfn.list_executions(stateMachineArn='{}')['executions'][0]['executionArn']\n\
         print(sfn.describe_execution(executionArn=arn)['input'])",
        machine.as_str().unwrap()
    ));
    assert_eq!(
        input,
        serde_json::json!({"input": {"bucket": "mapped", "key": "list.csv"}, "output": {"bucket": "mapped", "prefix": "run"},
            "arguments": [], "batch": 20})
    );
}

#[test]
fn an_inventory_is_told_of_as_far_as_its_map_knows_it() {
    let _turn = turn();
    make_bucket("counted");
    let place = Place::new().with_environment(environment("counted", &[]));
    let row =
        |row: u32, more: &str| format!("{{\"row\": {row}, \"url\": \"s3://originals/{row}.jpg\", {more}}}");
    let stored = "\"status\": \"stored\", \"renditions\": [{\"label\": \"g\", \"url\": \"S7\"}]";
    let output = format!(
        "{{\"rows\": [{}, {}]}}",
        row(7, stored),
        row(2, "\"status\": \"failed\", \"message\": \"404\"")
    );
    let machine = aws(&format!(
        "s3 = client('s3')\n\
         s3.put_object(Bucket='counted', Key='run/1/SUCCEEDED_0.json', Body=json.dumps([{{'Output': {output:?}, 'Status': 'SUCCEEDED'}}]))\n\
         s3.put_object(Bucket='counted', Key='run/1/manifest.json', Body=json.dumps({{'DestinationBucket': 'counted', 'MapRunArn': 'arn',\n\
         \x20   'ResultFiles': {{'FAILED': [], 'PENDING': [], 'SUCCEEDED': [{{'Key': 'run/1/SUCCEEDED_0.json', 'Size': 1}}]}}}}))\n\
         result = {{'MapRunArn': 'arn', 'ResultWriterDetails': {{'Bucket': 'counted', 'Key': 'run/1/manifest.json'}}}}\n\
         role = client('iam').create_role(RoleName='inventories', AssumeRolePolicyDocument='{{}}')['Role']['Arn']\n\
         definition = json.dumps({{'StartAt': 'Map', 'States': {{'Map': {{'Type': 'Pass', 'Result': result, 'End': True}}}}}})\n\
         moto('/config', {{'stepfunctions': {{'execute_state_machine': True}}}})\n\
         machine = client('stepfunctions').create_state_machine(name='inventory', definition=definition, roleArn=role)['stateMachineArn']\n\
         print(json.dumps(machine))"
    ));
    let dispatch = |engine: &[&str]| {
        let mut command = place.command();
        command.args(["dispatch", "--output", "s3://counted/run/out.csv", "--output-failed", "failed.csv"]);
        command.args(["--input", "s3://counted/inventory/2026-11-21/manifest.json", "--engine"]).args(engine);
        Ran::of(command.spawn().unwrap())
    };
    let ran = dispatch(&["stepfunctions", "--state-machine", machine.as_str().unwrap()]).expect(3);
    assert!(ran.stderr.contains("2 rows: 1 stored, 1 failed, 0 missing"), "{}", ran.stderr);
    let list = aws(
        "print(json.dumps(client('s3').get_object(Bucket='counted', Key='run/out.csv')['Body'].read().decode()))",
    );
    assert_eq!(list, "url,input,output,s3url\ns3://originals/7.jpg,,,S7\n");
    assert_eq!(std::fs::read_to_string(place.path("failed.csv")).unwrap(), "url\ns3://originals/2.jpg\n");
    let ran = dispatch(&["ecs", "--tasks", "2", "--task", "t", "--subnet", "s"]).expect(2);
    assert!(ran.stderr.contains("--engine stepfunctions"), "{}", ran.stderr);
}

#[test]
fn the_scheduled_drain_is_started_at_once() {
    let _turn = turn();
    let network = fleet("drain");
    let place = Place::new().with_environment(environment("none", &[]));
    let drain = |more: &[(&str, &str)]| {
        let mut command = place.command();
        command.env("AWS_ENDPOINT_URL", endpoint()).envs(more.iter().copied());
        Ran::of(command.args(["bucket", "drain", "--now"]).spawn().unwrap())
    };
    let task = [("IMGMILL_DRAIN_TASK", "drain:1"), ("IMGMILL_DRAIN_CLUSTER", "drain")];
    assert!(drain(&[]).expect(2).stderr.contains("IMGMILL_DRAIN_TASK is not set"));
    assert!(drain(&task).expect(2).stderr.contains("IMGMILL_DRAIN_SUBNETS is not set"));
    let network = [
        ("IMGMILL_DRAIN_SUBNETS", network.0.as_str()),
        ("IMGMILL_DRAIN_SECURITY_GROUPS", network.1.as_str()),
    ];
    let ran = drain(&[task, network].concat()).expect(0);
    assert!(ran.stderr.contains("started arn:aws:ecs:eu-west-1:"), "{}", ran.stderr);
    let tasks = aws("print(json.dumps(client('ecs').list_tasks(cluster='drain')['taskArns']))");
    assert_eq!(tasks.as_array().unwrap().len(), 1);
    // What passes is waited for, and not in silence.
    let proxy = Proxy::before(&endpoint()).fault("RunTask", Fault::Throttle(7));
    let ran = drain(&[&task[..], &network, &[("AWS_ENDPOINT_URL", proxy.endpoint())]].concat()).expect(0);
    assert!(ran.stderr.contains("will try again") && ran.stderr.contains("started arn:"), "{}", ran.stderr);
    let ran = drain(&[&task[..], &network, &[("IMGMILL_DRAIN_TASK", "nothing:1")]].concat()).expect(1);
    assert!(ran.stderr.contains("nothing:1") && ran.stderr.lines().count() == 1, "{}", ran.stderr);
}
