//! Writes, reads and runs real graph-flow sessions, in each version of the crate.
//!
//! Every answer is one JSON object a line on stdout; a failure is one on stderr, with exit code 1.

mod content;

/// graph-flow 0.5: the context is asynchronous and keeps no errors, ids are UUIDs.
mod v05 {
    use graph_flow_05 as graph_flow;
    const TEXT_IDS: bool = false;

    mod context {
        use super::graph_flow::{Context, Result};
        use serde_json::Value;

        pub async fn get(context: &Context, key: &str) -> Option<Value> {
            context.get(key).await
        }
        pub async fn set(context: &Context, key: &str, value: Value) -> Result<()> {
            context.set(key, value).await;
            Ok(())
        }
        pub fn peek(context: &Context, key: &str) -> Option<Value> {
            context.get_sync(key)
        }
        pub async fn say(context: &Context, role: &str, text: String) {
            match role {
                "user" => context.add_user_message(text).await,
                "assistant" => context.add_assistant_message(text).await,
                _ => context.add_system_message(text).await,
            }
        }
    }
    fn kind(error: &graph_flow::GraphError) -> &'static str {
        match error {
            graph_flow::GraphError::StorageError(_) => "storage",
            graph_flow::GraphError::TaskExecutionFailed(_) => "task",
            _ => "other",
        }
    }
    fn conflict(id: String) -> graph_flow::GraphError {
        graph_flow::GraphError::StorageError(format!("{id} was saved by someone else"))
    }
    include!("redis.rs");
    include!("peer.rs");

    async fn flows(_: &Peer) -> Result<()> {
        Err(GraphError::StorageError("flows are told to 0.6 and later".into()))
    }
}

mod v06 {
    use graph_flow_06 as graph_flow;
    include!("sync.rs");
    include!("redis.rs");
    include!("peer.rs");
    include!("flows.rs");
    include!("bench.rs");
}

/// The newest on crates.io when this was written.
mod v08 {
    use graph_flow_08 as graph_flow;
    include!("sync.rs");
    include!("redis.rs");
    include!("peer.rs");
    include!("flows.rs");
    include!("bench.rs");
}

/// What the command line asks for.
pub struct Arguments {
    command: String,
    url: String,
    id: String,
    graph: String,
    count: u64,
    seed: u64,
    pause_ms: u64,
    counting: bool,
    ledger: Option<String>,
    set: Vec<(String, serde_json::Value)>,
}

fn arguments(mut words: impl Iterator<Item = String>) -> anyhow::Result<(String, Arguments)> {
    let mut next = |what: &str| {
        words
            .next()
            .ok_or_else(|| anyhow::anyhow!("missing {what}"))
    };
    let version = next("version: 0.5, 0.6 or 0.8")?;
    let mut found = Arguments {
        command: next("command: write, work, new, read, run, hold, delete, echo, dump, flows or bench")?,
        url: String::new(),
        id: String::new(),
        graph: "claims".into(),
        count: 10,
        seed: 1,
        pause_ms: 0,
        counting: false,
        ledger: None,
        set: Vec::new(),
    };
    while let Some(option) = words.next() {
        let value = words
            .next()
            .ok_or_else(|| anyhow::anyhow!("{option} needs a value"))?;
        match option.as_str() {
            "--url" => found.url = value,
            "--id" => found.id = value,
            "--graph" => found.graph = value,
            "--count" => found.count = value.parse()?,
            "--seed" => found.seed = value.parse()?,
            "--pause-ms" => found.pause_ms = value.parse()?,
            "--ledger" => found.ledger = Some(value),
            "--counting" => found.counting = value.parse()?,
            "--set" => {
                let (key, json) = value
                    .split_once('=')
                    .ok_or_else(|| anyhow::anyhow!("--set key=JSON"))?;
                found.set.push((key.into(), serde_json::from_str(json)?));
            }
            _ => anyhow::bail!("unknown option {option}"),
        }
    }
    if found.counting && version == "0.5" {
        anyhow::bail!("sessions of 0.5 carry no version to count");
    }
    Ok((version, found))
}

#[tokio::main]
async fn main() {
    let answer = match arguments(std::env::args().skip(1)) {
        Ok((version, words)) if words.command == "bench" => match version.as_str() {
            "0.6" => v06::bench(&words.url).await,
            "0.8" => v08::bench(&words.url).await,
            _ => Err(("usage", format!("no bench of version {version}"))),
        },
        Ok((version, words)) if version == "0.5" => v05::answer(words).await,
        Ok((version, words)) if version == "0.6" => v06::answer(words).await,
        Ok((version, words)) if version == "0.8" => v08::answer(words).await,
        Ok((version, _)) => Err(("usage", format!("no version {version}"))),
        Err(error) => Err(("usage", error.to_string())),
    };
    if let Err((kind, message)) = answer {
        eprintln!("{}", serde_json::json!({"error": kind, "message": message}));
        std::process::exit(1);
    }
}
