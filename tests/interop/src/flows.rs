// Included for graph-flow 0.6 and later: runs graphs that are told as JSON, one a line on stdin.

use graph_flow::ExecutionStatus;
use std::time::Duration;

/// A task whose behaviour is data.
struct Told {
    id: String,
    does: Value,
}

impl Told {
    /// What it does now: the first of its cases whose keys have these values, else all the same.
    fn choose(&self, ctx: &Context) -> &Value {
        let cases = self.does["cases"].as_array().into_iter().flatten();
        let holds = |case: &&Value| {
            let mut wanted = case["if"].as_object().into_iter().flatten();
            wanted.all(|(key, value)| ctx.get(key).unwrap_or(Value::Null) == *value)
        };
        cases.clone().find(holds).unwrap_or(&self.does)
    }
}

#[async_trait::async_trait]
impl Task for Told {
    fn id(&self) -> &str {
        &self.id
    }

    async fn run(&self, ctx: Context) -> Result<TaskResult> {
        let does = self.choose(&ctx);
        // Each `{key}` that is named in "fill" becomes the text that the context has there.
        let fill = |text: &str| {
            let keys = does["fill"].as_array().into_iter().flatten().filter_map(Value::as_str);
            keys.fold(text.to_string(), |text, key| {
                let value = ctx.get::<String>(key).unwrap_or_default();
                text.replace(&format!("{{{key}}}"), &value)
            })
        };
        if let Some(ms) = does["sleep_ms"].as_u64() {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        for (key, value) in does["set"].as_object().into_iter().flatten() {
            match value.as_str() {
                Some(text) => ctx.set(key.clone(), fill(text))?,
                None => ctx.set(key.clone(), value.clone())?,
            }
        }
        if let Some(key) = does["count"].as_str() {
            ctx.set(key, ctx.get::<u64>(key).unwrap_or(0) + 1)?;
        }
        if let Some(words) = does["hear"].as_str() {
            ctx.add_user_message(fill(words));
        }
        if let Some(words) = does["say"].as_str() {
            ctx.add_assistant_message(fill(words));
        }
        if let Some(why) = does["fail"].as_str() {
            return Err(match does["kind"].as_str() {
                Some("other") => GraphError::Other(anyhow::anyhow!("{why}")),
                Some("context") => GraphError::ContextError(why.into()),
                _ => GraphError::TaskExecutionFailed(why.into()),
            });
        }
        Ok(TaskResult::new_with_status(
            does["response"].as_str().map(fill),
            action(does),
            does["status"].as_str().map(fill),
        ))
    }
}

fn action(does: &Value) -> NextAction {
    serde_json::from_value(does["action"].clone()).expect("an action")
}

fn told_task(does: &Value) -> Arc<dyn Task> {
    let id = does["id"].as_str().expect("an id");
    let Some(children) = does["children"].as_array() else {
        return Arc::new(Told { id: id.into(), does: does.clone() });
    };
    let mut fan = FanOutTask::new(id, children.iter().map(told_task).collect());
    fan = fan.with_next_action(action(does));
    match does["prefix"].as_str() {
        Some(prefix) => fan.with_prefix(prefix),
        None => fan,
    }
}

fn told_graph(told: &Value) -> Result<Graph> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let word = |value: &Value| value.as_str().expect("a text").to_string();
    let mut builder = GraphBuilder::new(word(&told["id"]));
    for task in list(&told["tasks"]) {
        builder = builder.add_task(told_task(&task));
    }
    for edge in list(&told["edges"]) {
        builder = match edge["key"].as_str().map(String::from) {
            None => builder.add_edge(word(&edge["from"]), word(&edge["to"])),
            Some(key) => builder.add_conditional_edge(
                word(&edge["from"]),
                move |ctx: &Context| ctx.get::<bool>(&key).unwrap_or(false),
                word(&edge["yes"]),
                word(&edge["no"]),
            ),
        };
    }
    if let Some(start) = told["start"].as_str() {
        builder = builder.set_start_task(start);
    }
    if let Some(ms) = told["timeout_ms"].as_u64() {
        builder = builder.with_task_timeout(Duration::from_millis(ms));
    }
    if let Some(max) = told["max_steps"].as_u64() {
        builder = builder.with_max_execution_steps(max as usize);
    }
    builder.build()
}

/// Runs the steps of one line, and tells of each what came of it and what is stored then.
async fn follow(peer: &Peer, told: &Value) -> Result<Vec<Value>> {
    let graph = match told_graph(&told["graph"]) {
        Ok(graph) => Arc::new(graph),
        Err(error) => return Ok(vec![json!({"build": error.to_string()})]),
    };
    let id = told["id"].as_str().expect("an id");
    let runner = FlowRunner::new(graph.clone(), peer.storage.clone());
    let mut steps = vec![json!({"start": graph.start_task_id()})];
    for _ in 0..told["steps"].as_u64().unwrap_or(1) {
        let mut step = match runner.run(id).await {
            Err(error) => json!({"error": error.to_string()}),
            Ok(done) => {
                let (status, next, reason) = match done.status {
                    ExecutionStatus::Completed => ("completed", None, None),
                    ExecutionStatus::WaitingForInput => ("waiting_for_input", None, None),
                    ExecutionStatus::Paused { next_task_id, reason } => {
                        ("paused", Some(next_task_id), Some(reason))
                    }
                };
                json!({"response": done.response, "status": status, "next": next, "reason": reason})
            }
        };
        step["session"] = serde_json::to_value(peer.storage.get(id).await?).expect("JSON");
        steps.push(step);
    }
    Ok(steps)
}

async fn flows(peer: &Peer) -> Result<()> {
    for line in std::io::stdin().lock().lines() {
        let told = serde_json::from_str(&line.expect("a line")).expect("JSON");
        println!("{}", json!(follow(peer, &told).await?));
    }
    Ok(())
}
