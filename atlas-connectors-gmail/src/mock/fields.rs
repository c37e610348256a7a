//! Partial answers: `fields=messages(id,threadId),nextPageToken`.

use serde_json::{Map, Value};

use super::answer::{JSON, Reply};

/// The fields wanted of an object; an empty one wants everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Mask(Vec<(String, Self)>);

/// Keeps of a good JSON answer what the `fields` parameter names.
pub(super) fn narrow(mut reply: Reply, query: &[(String, String)]) -> Reply {
    let wanted = query
        .iter()
        .find(|(key, _)| key == "fields")
        .map(|(_, value)| value.as_str())
        .unwrap_or_default();
    if wanted.is_empty() || wanted == "*" || reply.content_type != JSON {
        return reply;
    }
    if let Ok(value) = serde_json::from_slice::<Value>(&reply.body) {
        let mut characters = wanted.chars().peekable();
        reply.body = keep(value, &parse(&mut characters)).to_string().into_bytes();
    }
    reply
}

fn parse(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Mask {
    let mut mask = Mask::default();
    let mut path = vec![String::new()];
    let put = |mask: &mut Mask, path: &mut Vec<String>, inner: Mask| {
        let mut inner = inner;
        while let Some(name) = path.pop() {
            if !name.is_empty() {
                inner = Mask(vec![(name, inner)]);
            }
        }
        mask.0.extend(inner.0);
        path.push(String::new());
    };
    while let Some(character) = characters.next() {
        match character {
            ',' => put(&mut mask, &mut path, Mask::default()),
            '/' => path.push(String::new()),
            '(' => {
                let inner = parse(characters);
                put(&mut mask, &mut path, inner);
                if characters.peek() == Some(&',') {
                    characters.next();
                }
            }
            ')' => break,
            ' ' => {}
            other => {
                if let Some(name) = path.last_mut() {
                    name.push(other);
                }
            }
        }
    }
    put(&mut mask, &mut path, Mask::default());
    mask
}

fn keep(value: Value, mask: &Mask) -> Value {
    if mask.0.is_empty() {
        return value;
    }
    match value {
        Value::Array(all) => Value::Array(all.into_iter().map(|one| keep(one, mask)).collect()),
        Value::Object(mut map) => {
            let mut kept = Map::new();
            for (name, inner) in &mask.0 {
                if name == "*" {
                    kept.extend(
                        std::mem::take(&mut map)
                            .into_iter()
                            .map(|(key, one)| (key, keep(one, inner))),
                    );
                } else if let Some(one) = map.remove(name) {
                    kept.insert(name.clone(), keep(one, inner));
                }
            }
            Value::Object(kept)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn masks_keep_what_they_name() {
        let value =
            json!({"messages": [{"id": "1", "threadId": "2", "x": {"a": 1, "b": 2}}], "nextPageToken": "t", "y": 1});
        for (fields, kept) in [
            (
                "messages(id,threadId),nextPageToken",
                json!({"messages": [{"id": "1", "threadId": "2"}], "nextPageToken": "t"}),
            ),
            ("messages/id", json!({"messages": [{"id": "1"}]})),
            (
                "messages(x/a,id),y",
                json!({"messages": [{"x": {"a": 1}, "id": "1"}], "y": 1}),
            ),
            ("messages", json!({"messages": value.get("messages").unwrap()})),
        ] {
            let reply = Reply::json(&value);
            let query = [("fields".to_owned(), fields.to_owned())];
            let body: Value = serde_json::from_slice(&narrow(reply, &query).body).unwrap();
            assert_eq!(body, kept, "{fields}");
        }
    }
}
