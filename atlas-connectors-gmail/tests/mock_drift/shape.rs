//! Status, content type and shape of answers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::json_of;
use crate::support::Answered;

/// Where the mock's answer differs from a recorded one: status, content type, keys and JSON types.
pub(crate) fn compare(recorded: &Value, answer: &Answered) -> BTreeSet<String> {
    let (status, headers, _) = answer;
    let mut differences = BTreeSet::new();
    let theirs = recorded["status"].as_u64().unwrap();
    if theirs != u64::from(*status) {
        differences.insert(format!("status {theirs} → {status}"));
    }
    let content_type = |text: Option<&str>| text.map_or_else(|| "none".to_owned(), str::to_lowercase);
    let their_type = content_type(recorded["headers"]["content-type"].as_str());
    let our_type = content_type(headers.get("content-type").and_then(|value| value.to_str().ok()));
    if their_type != our_type {
        differences.insert(format!("content type {their_type} → {our_type}"));
    }
    // The shape of a success says nothing of the shape of a failure.
    if (200..300).contains(&theirs) == (200..300).contains(status) {
        Shape::of(&recorded["body"]).against(&Shape::of(&json_of(answer)), "", &mut differences);
    }
    differences
}

/// The JSON types that are found at a place, the keys below it, and what its items have in common.
#[derive(Clone, Debug, Default)]
struct Shape {
    types: BTreeSet<&'static str>,
    keys: BTreeMap<String, Self>,
    items: Option<Box<Self>>,
}

impl Shape {
    fn of(value: &Value) -> Self {
        let mut shape = Self::default();
        shape.add(value);
        shape
    }

    fn add(&mut self, value: &Value) {
        self.types.insert(match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        });
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    self.keys.entry(key.clone()).or_default().add(value);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.items.get_or_insert_default().add(item);
                }
            }
            _ => {}
        }
    }

    fn against(&self, ours: &Self, at: &str, differences: &mut BTreeSet<String>) {
        if self.types != ours.types {
            let list = |types: &BTreeSet<&str>| types.iter().copied().collect::<Vec<_>>().join(" or ");
            differences.insert(format!("{at}: {} → {}", list(&self.types), list(&ours.types)));
            return;
        }
        for (key, shape) in &self.keys {
            match ours.keys.get(key) {
                Some(ours) => shape.against(ours, &format!("{at}/{key}"), differences),
                None => {
                    differences.insert(format!("{at}/{key}: only recorded"));
                }
            }
        }
        for key in ours.keys.keys().filter(|key| !self.keys.contains_key(*key)) {
            differences.insert(format!("{at}/{key}: only in the mock"));
        }
        // An empty list says nothing of its items.
        if let (Some(theirs), Some(ours)) = (&self.items, &ours.items) {
            theirs.against(ours, &format!("{at}[]"), differences);
        }
    }
}
