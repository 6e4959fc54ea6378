// Included for graph-flow 0.6 and later: how long each call on a storage takes.

/// Obeys lines on stdin until they end, and answers each with one line: the nanoseconds of each
/// call, one call after the other. `put JSON` stores a session and answers `[]`; `get ID N`;
/// `save ID N` changes a value before each save; `delete PREFIX N` deletes PREFIX0, PREFIX1, ….
pub async fn bench(url: &str) -> Answer {
    let told = |error: GraphError| (kind(&error), error.to_string());
    let storage: Arc<dyn SessionStorage> = if url == "memory:" {
        Arc::new(graph_flow::InMemorySessionStorage::new())
    } else {
        Arc::new(PostgresSessionStorage::connect(url).await.map_err(told)?)
    };
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| ("io", error.to_string()))?;
        let (what, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let took = if what == "put" {
            let session: Session =
                serde_json::from_str(rest).map_err(|error| ("json", error.to_string()))?;
            storage.save(session).await.map_err(told)?;
            Vec::new()
        } else {
            let (id, count) = rest.rsplit_once(' ').unwrap_or((rest, "1"));
            let count = count.parse().map_err(|_| ("usage", format!("no count: {count}")))?;
            timed(storage.as_ref(), what, id, count).await?
        };
        println!("{}", json!(took));
    }
    Ok(())
}

async fn timed(
    storage: &dyn SessionStorage,
    what: &str,
    id: &str,
    count: u64,
) -> std::result::Result<Vec<u64>, (&'static str, String)> {
    let told = |error: GraphError| (kind(&error), error.to_string());
    let absent = || ("missing", id.to_string());
    let mut took = Vec::with_capacity(count as usize);
    let mut session = match what {
        "save" => Some(storage.get(id).await.map_err(told)?.ok_or_else(absent)?),
        _ => None,
    };
    for number in 0..count {
        match (what, &mut session) {
            ("get", _) => {
                let began = std::time::Instant::now();
                let found = storage.get(id).await.map_err(told)?;
                took.push(began.elapsed().as_nanos() as u64);
                found.ok_or_else(absent)?;
            }
            ("save", Some(session)) => {
                context::set(&session.context, "step", json!(number)).await.map_err(told)?;
                let given = session.clone();
                let began = std::time::Instant::now();
                storage.save(given).await.map_err(told)?;
                took.push(began.elapsed().as_nanos() as u64);
                session.version += 1;
            }
            ("delete", _) => {
                let one = format!("{id}{number}");
                let began = std::time::Instant::now();
                storage.delete(&one).await.map_err(told)?;
                took.push(began.elapsed().as_nanos() as u64);
            }
            _ => return Err(("usage", format!("no such work: {what}"))),
        }
    }
    Ok(took)
}
