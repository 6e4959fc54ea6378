//! What the sample sessions are about. The same seed gives the same content.

use serde_json::{Value, json};

/// splitmix64: enough chance for sample data.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
    pub fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }
}

const NAMES: [&str; 8] = [
    "Ana Souza",
    "Jürgen Weiß",
    "Mei 林",
    "Omar Haddad",
    "Siobhán Ó Briain",
    "Priya Nair",
    "Łukasz Nowak",
    "Grace Kim",
];
const CITIES: [&str; 5] = ["Porto", "Köln", "台北", "Cork", "Kraków"];
const THINGS: [&str; 6] = [
    "roof tiles",
    "windscreen",
    "bicycle",
    "laptop",
    "kitchen floor",
    "door",
];
const QUESTIONS: [&str; 5] = [
    "My invoice shows a fee that I do not know.",
    "The app logs me out every morning.",
    "Can I move my delivery to Friday?",
    "I was charged twice for one order.",
    "How do I export last year's data?",
];

pub fn claim(chance: &mut Chance) -> Value {
    let items: Vec<Value> = (0..1 + chance.below(4))
        .map(
            |_| json!({"what": chance.pick(&THINGS), "price": chance.below(90_000) as f64 / 100.0}),
        )
        .collect();
    let amount: f64 = items.iter().filter_map(|item| item["price"].as_f64()).sum();
    json!({
        "customer": {
            "name": chance.pick(&NAMES),
            "tier": chance.pick(&["gold", "silver", "basic"]),
            "city": chance.pick(&CITIES),
        },
        "items": items,
        "amount": (amount * 100.0).round() / 100.0,
        // Past 2^53, where JavaScript and a careless float lose digits.
        "policy_number": 9_007_199_254_740_993_u64 + chance.below(1_000_000_000),
        "iban": if chance.below(6) == 0 { Value::Null } else { json!("PT50 0002 0123 1234 5678 9015 4") },
        "fraud_service": if chance.below(9) == 0 { "down" } else { "up" },
    })
}

pub fn ticket(chance: &mut Chance) -> Value {
    json!({
        "customer": {"name": chance.pick(&NAMES), "tier": chance.pick(&["gold", "silver", "basic"])},
        "question": chance.pick(&QUESTIONS),
        "turns_wanted": 1 + chance.below(9),
        "turns": 0,
        "satisfied": Value::Null,
    })
}

pub fn reply(turn: u64) -> String {
    let said = [
        "Yes, that is the one.",
        "I tried that, and it is still the same.",
        "On Monday, I think.",
        "It says: error 0x80070005.",
        "Oh, now it works. Wait… no.",
        "Here is the number: 20417.",
    ];
    said[(turn as usize) % said.len()].into()
}

pub fn answer(turn: u64) -> String {
    let said = [
        "Thank you. Could you tell me since when?",
        "Please sign out on all devices and try again.",
        "I see it here; one moment, please.",
        "I have asked the team that runs this.",
        "That should be mended now. Could you check?",
    ];
    said[(turn as usize) % said.len()].into()
}

/// Every row of the table, context numbers with the digits that the database keeps.
pub async fn dump(url: &str) -> anyhow::Result<()> {
    let pool = sqlx::PgPool::connect(url).await?;
    let rows: Vec<(String,)> = sqlx::query_as(
        "SELECT format('{\"id\":%s,\"graph_id\":%s,\"current_task_id\":%s,\"status_message\":%s,\
         \"context\":%s,\"version\":%s,\"created_at\":%s,\"updated_at\":%s}', to_json(id), \
         to_json(graph_id), to_json(current_task_id), coalesce(to_json(status_message), 'null'), \
         context, version, to_json(created_at), to_json(updated_at)) FROM sessions ORDER BY id",
    )
    .fetch_all(&pool)
    .await?;
    for (row,) in rows {
        println!("{row}");
    }
    Ok(())
}
