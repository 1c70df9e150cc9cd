//! Which part of a list is meant: as typed, or as the engine says that started this process as one of many.

use imgmill_pipeline::source::shard::{Shard, ShardBy};

use super::Environment;
use crate::args::{ShardArguments, ShardKey};

/// What an engine calls the number of a process and how many there are.
struct Engine {
    name: &'static str,
    index: &'static str,
    count: Option<&'static str>,
}

const ENGINES: [Engine; 4] = [
    Engine { name: "AWS Batch", index: "AWS_BATCH_JOB_ARRAY_INDEX", count: Some("AWS_BATCH_JOB_ARRAY_SIZE") },
    Engine { name: "Slurm", index: "SLURM_ARRAY_TASK_ID", count: Some("SLURM_ARRAY_TASK_COUNT") },
    Engine { name: "Cloud Run", index: "CLOUD_RUN_TASK_INDEX", count: Some("CLOUD_RUN_TASK_COUNT") },
    Engine { name: "Kubernetes", index: "JOB_COMPLETION_INDEX", count: None },
];

/// Slurm's arrays may begin anywhere and leave numbers out in even steps.
const SLURM_FIRST: &str = "SLURM_ARRAY_TASK_MIN";
const SLURM_STEP: &str = "SLURM_ARRAY_TASK_STEP";

/// The part that is worked on, if it is not all of the list.
pub fn shard(arguments: &ShardArguments, environment: &Environment) -> Result<Option<Shard>, String> {
    let by = match arguments.shard_by {
        ShardKey::Row => ShardBy::Row,
        ShardKey::Host => ShardBy::Host,
    };
    let Some(typed) = &arguments.shard else { return Ok(None) };
    let (index, count) = match typed.as_str() {
        "auto" => of_engine(arguments.shard_count, environment)?,
        _ => {
            let wrong = || format!("--shard {typed}: expected I/N, such as 0/8, or auto");
            let (index, count) = typed.split_once('/').ok_or_else(wrong)?;
            let [index, count] = [index, count].map(|text| text.parse::<u32>().map_err(|_| wrong()));
            (index?, agreed("--shard", count?, arguments.shard_count)?)
        }
    };
    Shard::new(index, count, by).map(Some).map_err(|error| format!("--shard {typed}: {error}"))
}

fn of_engine(typed_count: Option<u32>, environment: &Environment) -> Result<(u32, u32), String> {
    let known = |engine: &&Engine| environment.get(engine.index).is_some();
    let Some(engine) = ENGINES.iter().find(known) else {
        let names: Vec<&str> = ENGINES.iter().map(|engine| engine.index).collect();
        return Err(format!(
            "--shard auto: this is no array job, none of {} is set; write --shard I/N",
            names.join(", ")
        ));
    };
    let number = |name: &str| match environment.get(name) {
        None => Ok(None),
        Some(text) => match text.trim().parse::<u32>() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(format!("--shard auto: {name} is {text:?}; expected a number")),
        },
    };
    let mut index = number(engine.index)?.unwrap_or_default();
    if engine.name == "Slurm" {
        let step = number(SLURM_STEP)?.unwrap_or(1).max(1);
        index = index.saturating_sub(number(SLURM_FIRST)?.unwrap_or(0)) / step;
    }
    let count = match engine.count.map(number).transpose()?.flatten() {
        Some(count) => agreed(engine.name, count, typed_count)?,
        None => typed_count.ok_or_else(|| {
            format!(
                "--shard auto: {} does not say how many there are; add --shard-count N, as many as completions",
                engine.name
            )
        })?,
    };
    Ok((index, count))
}

/// One process that counts otherwise would leave rows to nobody.
fn agreed(who: &str, count: u32, typed: Option<u32>) -> Result<u32, String> {
    match typed {
        Some(typed) if typed != count => {
            Err(format!("--shard-count is {typed}, and {who} says {count}; let them be the same"))
        }
        _ => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(
        typed: &str,
        count: Option<u32>,
        variables: &'static [(&str, &str)],
    ) -> Result<Option<Shard>, String> {
        let arguments =
            ShardArguments { shard: Some(typed.to_owned()), shard_count: count, shard_by: ShardKey::Row };
        let lookup = move |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        shard(&arguments, &Environment { lookup: Box::new(lookup) })
    }

    fn is(index: u32, count: u32) -> Result<Option<Shard>, String> {
        Shard::new(index, count, ShardBy::Row).map(Some)
    }

    #[test]
    fn engines_say_which_part_it_is() {
        assert_eq!(found("3/8", None, &[]), is(3, 8));
        let batch = &[("AWS_BATCH_JOB_ARRAY_INDEX", "3"), ("AWS_BATCH_JOB_ARRAY_SIZE", "8")];
        assert_eq!(found("auto", None, batch), is(3, 8));
        let slurm = &[
            ("SLURM_ARRAY_TASK_ID", "15"),
            ("SLURM_ARRAY_TASK_MIN", "1"),
            ("SLURM_ARRAY_TASK_STEP", "2"),
            ("SLURM_ARRAY_TASK_COUNT", "8"),
        ];
        assert_eq!(found("auto", None, slurm), is(7, 8));
        let run = &[("CLOUD_RUN_TASK_INDEX", "0"), ("CLOUD_RUN_TASK_COUNT", "4")];
        assert_eq!(found("auto", Some(4), run), is(0, 4));
        let kubernetes = &[("JOB_COMPLETION_INDEX", "2")];
        assert_eq!(found("auto", Some(3), kubernetes), is(2, 3));
        assert!(found("auto", None, kubernetes).unwrap_err().contains("--shard-count"));
    }

    #[test]
    fn what_cannot_be_is_said() {
        for typed in ["3", "a/b", "8/8", "-1/8", "/"] {
            assert!(found(typed, None, &[]).unwrap_err().contains(&format!("--shard {typed}: ")), "{typed}");
        }
        assert!(found("auto", None, &[]).unwrap_err().contains("no array job"));
        let batch = &[("AWS_BATCH_JOB_ARRAY_INDEX", "x"), ("AWS_BATCH_JOB_ARRAY_SIZE", "8")];
        assert!(found("auto", None, batch).unwrap_err().contains("AWS_BATCH_JOB_ARRAY_INDEX is \"x\""));
        let run = &[("CLOUD_RUN_TASK_INDEX", "0"), ("CLOUD_RUN_TASK_COUNT", "4")];
        assert!(found("auto", Some(5), run).unwrap_err().contains("Cloud Run says 4"));
    }
}
