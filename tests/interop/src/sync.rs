// Included for graph-flow 0.6 and later: the context is synchronous, ids are any text, saves can
// conflict.

const TEXT_IDS: bool = true;

mod context {
    use super::graph_flow::{Context, Result};
    use serde_json::Value;

    pub async fn get(context: &Context, key: &str) -> Option<Value> {
        context.get(key)
    }
    pub async fn set(context: &Context, key: &str, value: Value) -> Result<()> {
        context.set(key, value)
    }
    pub fn peek(context: &Context, key: &str) -> Option<Value> {
        context.get(key)
    }
    pub async fn say(context: &Context, role: &str, text: String) {
        match role {
            "user" => context.add_user_message(text),
            "assistant" => context.add_assistant_message(text),
            _ => context.add_system_message(text),
        }
    }
}

fn conflict(id: String) -> graph_flow::GraphError {
    graph_flow::GraphError::SessionConflict(id)
}

fn kind(error: &graph_flow::GraphError) -> &'static str {
    match error {
        graph_flow::GraphError::SessionConflict(_) => "conflict",
        graph_flow::GraphError::StorageError(_) => "storage",
        graph_flow::GraphError::ContextError(_) => "context",
        graph_flow::GraphError::TaskExecutionFailed(_) => "task",
        _ => "other",
    }
}
