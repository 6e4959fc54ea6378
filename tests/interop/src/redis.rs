// Included once for each version of the crate; `graph_flow` and `conflict` come from there.

/// A custom storage as graph-flow's documentation has it: the whole session as JSON under its id.
///
/// `counting` makes it as careful as the crate's own storages are since 0.6: a save whose version is
/// not the stored one is refused, and each good one adds one.
struct RedisStorage {
    connection: redis::aio::MultiplexedConnection,
    counting: bool,
}

const COUNTING: &str = "
local there = redis.call('GET', KEYS[1])
if there and (cjson.decode(there).version or 0) ~= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1";

fn told(error: impl std::fmt::Display) -> graph_flow::GraphError {
    graph_flow::GraphError::StorageError(error.to_string())
}

impl RedisStorage {
    async fn connect(url: &str, counting: bool) -> Result<Self> {
        let client = redis::Client::open(url).map_err(told)?;
        let connection = client.get_multiplexed_async_connection().await.map_err(told)?;
        Ok(Self { connection, counting })
    }
}

#[async_trait::async_trait]
impl SessionStorage for RedisStorage {
    async fn save(&self, session: Session) -> Result<()> {
        let mut connection = self.connection.clone();
        if !self.counting {
            let text = serde_json::to_string(&session).map_err(told)?;
            return redis::cmd("SET")
                .arg(&session.id)
                .arg(text)
                .query_async::<()>(&mut connection)
                .await
                .map_err(told);
        }
        let mut value = serde_json::to_value(&session).map_err(told)?;
        let read = value["version"].as_u64().unwrap_or(0);
        value["version"] = json!(read + 1);
        let done: i64 = redis::Script::new(COUNTING)
            .key(&session.id)
            .arg(read)
            .arg(value.to_string())
            .invoke_async(&mut connection)
            .await
            .map_err(told)?;
        if done == 1 { Ok(()) } else { Err(conflict(session.id.clone())) }
    }

    async fn get(&self, id: &str) -> Result<Option<Session>> {
        let mut connection = self.connection.clone();
        let text: Option<String> =
            redis::cmd("GET").arg(id).query_async(&mut connection).await.map_err(told)?;
        text.map(|text| serde_json::from_str(&text).map_err(told)).transpose()
    }

    async fn delete(&self, id: &str) -> Result<()> {
        let mut connection = self.connection.clone();
        redis::cmd("DEL").arg(id).query_async::<()>(&mut connection).await.map_err(told)
    }
}
