// Included once for each version of the crate; `graph_flow`, `context`, `kind` and `TEXT_IDS` come
// from there.

use crate::content::{self, Chance};
use crate::Arguments;
use graph_flow::{
    Context, FanOutTask, FlowRunner, Graph, GraphBuilder, GraphError, NextAction,
    PostgresSessionStorage, Result, Session, SessionStorage, Task, TaskResult,
};
use serde_json::{Value, json};
use std::io::{BufRead, Write};
use std::sync::Arc;

type Answer = std::result::Result<(), (&'static str, String)>;

/// A task that is a name and what it does.
struct Step(&'static str);

#[async_trait::async_trait]
impl Task for Step {
    fn id(&self) -> &str {
        self.0
    }

    async fn run(&self, ctx: Context) -> Result<TaskResult> {
        use NextAction::*;
        let done = |action, status: String| {
            TaskResult::new_with_status(Some(status.clone()), action, Some(status))
        };
        let number = |value: Option<Value>| value.and_then(|v| v.as_f64()).unwrap_or(0.0);
        Ok(match self.0 {
            "intake" => {
                let name = context::get(&ctx, "customer").await.unwrap_or_default()["name"].clone();
                context::say(&ctx, "user", format!("I am {name} and want to report damage.")).await;
                context::say(&ctx, "system", "claim opened".into()).await;
                done(ContinueAndExecute, "claim taken in".into())
            }
            "fraud_check" => {
                if context::get(&ctx, "fraud_service").await == Some(json!("down")) {
                    return Err(GraphError::TaskExecutionFailed("fraud service is down".into()));
                }
                done(End, "no sign of fraud".into())
            }
            "coverage_check" => done(End, "covered".into()),
            "estimate" => {
                let amount = number(context::get(&ctx, "amount").await);
                context::set(&ctx, "estimate", json!({"low": amount * 0.8, "high": amount * 1.1})).await?;
                done(End, "estimated".into())
            }
            "await_documents" => match context::get(&ctx, "documents").await {
                None => {
                    context::say(&ctx, "assistant", "Please send us photos of the damage.".into()).await;
                    done(WaitForInput, "waiting for documents".into())
                }
                Some(_) => done(ContinueAndExecute, "documents received".into()),
            },
            "decide" => {
                let amount = number(context::get(&ctx, "amount").await);
                let approved = amount < 2_000.0;
                context::set(&ctx, "approved", json!(approved)).await?;
                let word = if approved { "approved" } else { "approved in part" };
                context::say(&ctx, "assistant", format!("Your claim of {amount:.2} is {word}.")).await;
                done(Continue, format!("decided: {word}"))
            }
            "payout" => {
                if context::get(&ctx, "iban").await.is_none_or(|iban| iban.is_null()) {
                    return Err(GraphError::TaskExecutionFailed("no account to pay to".into()));
                }
                context::set(&ctx, "paid", json!(true)).await?;
                done(End, "paid".into())
            }
            "greet" => {
                let question = context::get(&ctx, "question").await.unwrap_or_default();
                context::say(&ctx, "user", question.as_str().unwrap_or("Hello?").into()).await;
                context::say(&ctx, "assistant", "Hello, I will look into that.".into()).await;
                done(Continue, "greeted".into())
            }
            "triage" => done(GoTo("await_customer".into()), "triaged".into()),
            "await_customer" => match context::get(&ctx, "customer_reply").await.filter(|v| !v.is_null()) {
                None => done(WaitForInput, "waiting for the customer".into()),
                Some(reply) => {
                    context::say(&ctx, "user", reply.as_str().unwrap_or("…").into()).await;
                    context::set(&ctx, "customer_reply", Value::Null).await?;
                    done(ContinueAndExecute, "customer replied".into())
                }
            },
            "answer" => {
                let turn = number(context::get(&ctx, "turns").await) as u64 + 1;
                context::set(&ctx, "turns", json!(turn)).await?;
                context::say(&ctx, "assistant", content::answer(turn)).await;
                if turn as f64 >= number(context::get(&ctx, "turns_wanted").await) {
                    done(ContinueAndExecute, "answered".into())
                } else {
                    done(GoTo("await_customer".into()), format!("answered {turn} times"))
                }
            }
            "closed" => {
                context::set(&ctx, "satisfied", json!(true)).await?;
                context::say(&ctx, "system", "ticket closed".into()).await;
                done(End, "closed".into())
            }
            other => return Err(GraphError::TaskNotFound(other.into())),
        })
    }
}

fn step(name: &'static str) -> Arc<dyn Task> {
    Arc::new(Step(name))
}

fn graph(name: &str) -> Result<Graph> {
    if name == "support" {
        return support();
    }
    let checks = FanOutTask::new(
        "checks",
        vec![step("fraud_check"), step("coverage_check"), step("estimate")],
    )
    .with_next_action(NextAction::ContinueAndExecute);
    let large = |ctx: &Context| {
        context::peek(ctx, "amount").and_then(|v| v.as_f64()).unwrap_or(0.0) > 700.0
    };
    built(
        GraphBuilder::new("claims")
            .add_task(step("intake"))
            .add_task(checks)
            .add_task(step("await_documents"))
            .add_task(step("decide"))
            .add_task(step("payout"))
            .add_edge("intake", "checks")
            .add_conditional_edge("checks", large, "await_documents", "decide")
            .add_edge("await_documents", "decide")
            .add_edge("decide", "payout"),
    )
}

fn support() -> Result<Graph> {
    built(
        GraphBuilder::new("support")
            .add_task(step("greet"))
            .add_task(step("triage"))
            .add_task(step("await_customer"))
            .add_task(step("answer"))
            .add_task(step("closed"))
            .add_edge("greet", "triage")
            .add_edge("await_customer", "answer")
            .add_edge("answer", "closed"),
    )
}

/// 0.5 builds a graph, 0.6 a result of one.
fn built(builder: GraphBuilder) -> Result<Graph> {
    trait IntoResult {
        fn into_result(self) -> Result<Graph>;
    }
    impl IntoResult for Graph {
        fn into_result(self) -> Result<Graph> {
            Ok(self)
        }
    }
    impl IntoResult for Result<Graph> {
        fn into_result(self) -> Result<Graph> {
            self
        }
    }
    builder.build().into_result()
}

struct Peer {
    storage: Arc<dyn SessionStorage>,
}

impl Peer {
    async fn connect(url: &str, counting: bool) -> Result<Self> {
        Ok(Self {
            storage: if url.starts_with("redis:") {
                Arc::new(RedisStorage::connect(url, counting).await?)
            } else {
                Arc::new(PostgresSessionStorage::connect(url).await?)
            },
        })
    }

    async fn load(&self, id: &str) -> Result<Session> {
        let found = self.storage.get(id).await?;
        found.ok_or_else(|| GraphError::SessionNotFound(id.into()))
    }

    async fn create(&self, id: &str, graph_id: &str, values: &Value) -> Result<()> {
        let start = if graph_id == "support" { "greet" } else { "intake" };
        let mut session = Session::new_from_task(id.into(), start);
        session.graph_id = graph_id.into();
        for (key, value) in values.as_object().into_iter().flatten() {
            context::set(&session.context, key, value.clone()).await?;
        }
        self.storage.save(session).await
    }

    async fn change(&self, id: &str, values: &[(String, Value)]) -> Result<()> {
        let session = self.load(id).await?;
        for (key, value) in values {
            context::set(&session.context, key, value.clone()).await?;
        }
        self.storage.save(session).await
    }

    /// One step; the status is `completed`, `waiting`, `paused` or `failed`.
    async fn step(&self, id: &str) -> Result<(&'static str, Option<String>)> {
        use graph_flow::ExecutionStatus::*;
        let runner = FlowRunner::new(
            Arc::new(graph(&self.load(id).await?.graph_id)?),
            self.storage.clone(),
        );
        let done = match runner.run(id).await {
            Err(GraphError::TaskExecutionFailed(why)) => return Ok(("failed", Some(why))),
            result => result?,
        };
        #[allow(unreachable_patterns)] // 0.5 has a status for errors too
        let status = match done.status {
            Completed => "completed",
            WaitingForInput => "waiting",
            Paused { .. } => "paused",
            _ => "failed",
        };
        Ok((status, done.response))
    }

    /// Many sessions, some of which wait, fail, or are left in the middle by a worker that stops.
    async fn write(&self, words: &Arguments) -> Result<()> {
        let mut chance = Chance::new(words.seed);
        let mut open = Vec::new();
        let mut made = 0;
        // Round by round over all of them, so that their times interleave as in a real store.
        for turn in 0..30 {
            for _ in 0..words.count.div_ceil(8).min(words.count - made) {
                made += 1;
                open.push(self.begin(made, &mut chance).await?);
            }
            let mut still = Vec::new();
            for id in open {
                tokio::time::sleep(std::time::Duration::from_millis(words.pause_ms)).await;
                if chance.below(14) == 0 {
                    self.report(&id, "left").await?;
                } else if self.go_on(&id, turn, &mut chance).await? {
                    still.push(id);
                }
            }
            open = still;
        }
        for id in open {
            self.report(&id, "left").await?;
        }
        Ok(())
    }

    async fn begin(&self, number: u64, chance: &mut Chance) -> Result<String> {
        let graph_id = if number.is_multiple_of(3) { "support" } else { "claims" };
        let name = format!("{}-{number:04}", graph_id.trim_end_matches('s'));
        let id = if TEXT_IDS && !number.is_multiple_of(11) {
            name
        } else {
            uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
        };
        let values = match graph_id {
            "claims" => content::claim(chance),
            _ => content::ticket(chance),
        };
        self.create(&id, graph_id, &values).await?;
        Ok(id)
    }

    /// One step, and the answer of whoever is waited for; whether there is more to do.
    async fn go_on(&self, id: &str, turn: u64, chance: &mut Chance) -> Result<bool> {
        let (status, response) = self.step(id).await?;
        match status {
            "paused" => return Ok(true),
            "waiting" if chance.below(6) > 0 => {
                let (key, value) = match self.load(id).await?.graph_id.as_str() {
                    "support" => ("customer_reply", json!(content::reply(turn))),
                    _ => ("documents", json!([{"name": "damage.jpg", "bytes": 482_113}])),
                };
                self.change(id, &[(key.into(), value)]).await?;
                return Ok(true);
            }
            "failed" if chance.below(3) > 0 => {
                // The runner saves nothing of a step that failed; a careful worker notes it.
                let mut session = self.load(id).await?;
                session.status_message = response;
                self.storage.save(session).await?;
            }
            _ => {}
        }
        self.report(id, status).await?;
        Ok(false)
    }

    /// Adds one to `worked` of a session taken by chance, again and again, until stdin closes.
    ///
    /// Tells how many saves of each session graph-flow called good: no one else counts there. With a
    /// ledger, each save has a `stamp` of its own, which is added to that file as soon as graph-flow
    /// has called the save good; such a worker ends when the store is out of reach.
    async fn work(&self, words: &Arguments) -> Result<()> {
        let ids: Vec<String> = words.id.split(',').map(String::from).collect();
        let mut ledger = words.ledger.as_ref().map(|path| {
            std::fs::File::create(path).expect("the ledger can be written")
        });
        let mut chance = Chance::new(words.seed);
        let mut saves = vec![0u64; ids.len()];
        let (mut conflicts, mut stamped) = (0u64, 0u64);
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            std::io::stdin().lock().lines().next();
            let _ = stop.send(());
        });
        println!("{}", json!({"working": true}));
        while stopped.try_recv().is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(words.pause_ms)).await;
            let number = chance.below(ids.len() as u64) as usize;
            let session = match self.storage.get(&ids[number]).await {
                Err(_) if ledger.is_some() => break,
                found => found?,
            };
            let Some(session) = session else {
                continue; // deleted, and perhaps put back later
            };
            let worked = context::get(&session.context, "worked").await;
            let worked = worked.and_then(|value| value.as_u64()).unwrap_or(0);
            context::set(&session.context, "worked", json!(worked + 1)).await?;
            let stamp = format!("{}-{stamped}", words.seed);
            if ledger.is_some() {
                stamped += 1;
                context::set(&session.context, "stamp", json!(stamp)).await?;
            }
            match self.storage.save(session).await {
                Ok(()) => {
                    saves[number] += 1;
                    if let Some(file) = &mut ledger {
                        let line = json!({"id": ids[number], "stamp": stamp});
                        writeln!(file, "{line}").expect("the ledger can be written");
                    }
                }
                Err(_) => conflicts += 1,
            }
        }
        for (id, saves) in ids.iter().zip(saves) {
            println!("{}", json!({"id": id, "saves": saves}));
        }
        println!("{}", json!({"conflicts": conflicts}));
        Ok(())
    }

    async fn report(&self, id: &str, status: &str) -> Result<()> {
        let session = self.load(id).await?;
        let (graph_id, task) = (session.graph_id, session.current_task_id);
        println!(
            "{}",
            json!({"id": id, "graph_id": graph_id, "current_task_id": task, "status": status})
        );
        Ok(())
    }

    async fn run(&self, id: &str) -> Result<()> {
        for _ in 0..100 {
            let (status, response) = self.step(id).await?;
            let task = self.load(id).await?.current_task_id;
            println!("{}", json!({"status": status, "current_task_id": task, "response": response}));
            if status != "paused" {
                break;
            }
        }
        println!("{}", text(&self.load(id).await?));
        Ok(())
    }
}

fn text(session: &Session) -> String {
    serde_json::to_string(session).expect("a session is JSON")
}

pub async fn answer(words: Arguments) -> Answer {
    let told = |error: GraphError| (kind(&error), error.to_string());
    if words.command == "echo" {
        for line in std::io::stdin().lock().lines() {
            let line = line.map_err(|error| ("io", error.to_string()))?;
            let session: Session =
                serde_json::from_str(&line).map_err(|error| ("json", error.to_string()))?;
            println!("{}", text(&session));
        }
        return Ok(());
    }
    if words.command == "dump" {
        return crate::content::dump(&words.url).await.map_err(|error| ("storage", error.to_string()));
    }
    let peer = Peer::connect(&words.url, words.counting).await.map_err(told)?;
    let id = words.id.as_str();
    match words.command.as_str() {
        "write" => peer.write(&words).await,
        "work" => peer.work(&words).await,
        "new" => {
            let values = words.set.iter().cloned().collect::<serde_json::Map<_, _>>().into();
            peer.create(id, &words.graph, &values).await
        }
        "read" => peer.storage.get(id).await.map(|found| match found {
            Some(session) => println!("{}", text(&session)),
            None => println!("{}", json!({"missing": true})),
        }),
        "run" => {
            if !words.set.is_empty() {
                peer.change(id, &words.set).await.map_err(told)?;
            }
            peer.run(id).await
        }
        "hold" => {
            let session = peer.load(id).await.map_err(told)?;
            println!("{}", json!({"held": true}));
            std::io::stdin().lock().lines().next();
            for (key, value) in words.set {
                context::set(&session.context, &key, value).await.map_err(told)?;
            }
            peer.storage.save(session).await.map(|()| println!("{}", json!({"saved": true})))
        }
        "flows" => flows(&peer).await,
        "delete" => peer.storage.delete(id).await.map(|()| println!("{}", json!({"deleted": true}))),
        other => return Err(("usage", format!("no command {other}"))),
    }
    .map_err(told)
}
