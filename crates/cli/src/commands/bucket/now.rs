//! `imgmill bucket drain --now`: the scheduled task on AWS, started at once.

use crate::exit::Exit;
use crate::settings::Environment;

#[cfg(not(feature = "fleet"))]
pub async fn run(_: &Environment) -> Exit {
    let message = "drain --now starts the scheduled task on AWS, which this build knows nothing of; build it with: make build \
                   FEATURES=fleet, or let `imgmill bucket drain` make here and now what is recorded";
    super::complain(message, Exit::Usage)
}

#[cfg(feature = "fleet")]
pub async fn run(environment: &Environment) -> Exit {
    match request(environment) {
        Ok(request) => match start(&request).await {
            Ok(arn) => {
                super::say(&format!("started {arn}"));
                Exit::Done
            }
            Err(error) => super::fatal(&error),
        },
        Err(message) => super::complain(&message, Exit::Usage),
    }
}

#[cfg(feature = "fleet")]
fn request(environment: &Environment) -> Result<imgmill_aws::fleet::TaskRequest, String> {
    use imgmill_aws::fleet::Launch;

    let list = |name: &str| {
        let text = environment.get(name).unwrap_or_default();
        text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect::<Vec<_>>()
    };
    let task = environment.get("IMGMILL_DRAIN_TASK").ok_or(
        "IMGMILL_DRAIN_TASK is not set; it names the task definition of the drain (DrainTask of the CDK app)",
    )?;
    let subnets = list("IMGMILL_DRAIN_SUBNETS");
    if subnets.is_empty() {
        return Err(
            "IMGMILL_DRAIN_SUBNETS is not set; it names the subnets that the drain runs in".to_owned()
        );
    }
    let cluster = environment.get("IMGMILL_DRAIN_CLUSTER");
    let network = (subnets, list("IMGMILL_DRAIN_SECURITY_GROUPS"));
    Ok(imgmill_systems::fleet::dispatch::task(cluster, task, String::new(), network, Launch::Fargate))
}

#[cfg(feature = "fleet")]
async fn start(request: &imgmill_aws::fleet::TaskRequest) -> Result<String, imgmill_pipeline::Error> {
    use imgmill_aws::fleet::{Account, AccountSettings, Ecs};
    use imgmill_systems::fleet::launch::{Patience, launch};
    use tokio_util::sync::CancellationToken;

    let account = Account::open(&AccountSettings::default()).await?;
    launch(&Ecs::of(&account), request, Patience::MINUTE, &CancellationToken::new()).await
}
