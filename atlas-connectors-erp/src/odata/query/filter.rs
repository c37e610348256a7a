//! Conditions as `$filter`, and what is left for the client.

use atlas_connectors::Result;
use atlas_connectors::erp::{Comparison, Field, FieldKind, FieldName, Filter, Value};
use atlas_connectors::error::SchemaFault;

use crate::odata::literal::{initial, literal, quoted};
use crate::odata::{Dialect, EntityModel, NullStyle, OrSupport, Version, Wire};

const OPERATION: &str = "odata.query";

/// A condition, split.
#[derive(Debug, Default)]
pub(super) struct Split {
    /// The condition for the server, encoded; empty for none.
    pub(super) server: String,
    /// The fields of the server's part, in order.
    pub(super) server_fields: Vec<FieldName>,
    /// What the client has to check, with the reason.
    pub(super) client: Vec<(Filter, &'static str)>,
    /// Whether the server's part was rewritten.
    pub(super) rewritten: bool,
    /// Nothing can match.
    pub(super) never: bool,
}

/// A condition in the form in which it is written: no `not` around groups, no empty groups.
enum Node {
    Always,
    Never,
    And(Vec<Self>),
    Or(Vec<Self>),
    Leaf(Leaf),
}

struct Leaf {
    filter: Filter,
    negated: bool,
}

/// Checks every field and value, and splits.
///
/// # Errors
/// [`atlas_connectors::ErrorKind::SchemaMismatch`] and [`atlas_connectors::ErrorKind::Unsupported`], naming the field.
pub(super) fn split(dialect: &Dialect, model: &EntityModel, filter: &Filter) -> Result<Split> {
    let mut out = Split::default();
    let compiler = Compiler { dialect, model };
    compiler.check(filter)?;
    let parts = match compiler.normal(filter, false, &mut out.rewritten) {
        Node::Always => Vec::new(),
        Node::Never => {
            out.never = true;
            return Ok(out);
        }
        Node::And(parts) => parts,
        one => vec![one],
    };
    let mut server = Vec::new();
    for part in parts {
        match compiler.refusal(&part) {
            None => server.push(part),
            Some(why) => out.client.push((part.into_filter(), why)),
        }
    }
    for (at, part) in server.iter().enumerate() {
        if at > 0 {
            out.server.push_str("%20and%20");
        }
        compiler.write(part, server.len() > 1, &mut out.server)?;
    }
    for part in server {
        for field in part.into_filter().fields() {
            if !out.server_fields.contains(field) {
                out.server_fields.push(field.clone());
            }
        }
    }
    Ok(out)
}

struct Compiler<'a> {
    dialect: &'a Dialect,
    model: &'a EntityModel,
}

impl Compiler<'_> {
    /// Every field is there, may be filtered by, and every value is of its type: before any call, whoever will do the work.
    fn check(&self, filter: &Filter) -> Result<()> {
        match filter {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().try_for_each(|part| self.check(part)),
            Filter::Not(part) => self.check(part),
            Filter::Compare { field, op, value } => {
                let (known, wire) = self.filterable(field)?;
                let equality = matches!(op, Comparison::Equal | Comparison::NotEqual);
                let unordered = matches!(known.kind, FieldKind::Bool | FieldKind::Guid | FieldKind::Enum);
                if (value.is_null() || unordered) && !equality {
                    return Err(self.model.mismatch(OPERATION, field.as_str(), SchemaFault::Type));
                }
                if value.is_null() {
                    return Ok(());
                }
                self.literal(known, wire, value, &mut String::new())
            }
            Filter::In { field, values } => {
                let (known, wire) = self.filterable(field)?;
                values
                    .iter()
                    .filter(|value| !value.is_null())
                    .try_for_each(|value| self.literal(known, wire, value, &mut String::new()))
            }
            Filter::Contains { field, .. } | Filter::StartsWith { field, .. } => {
                let (known, _) = self.filterable(field)?;
                match known.kind {
                    FieldKind::Text => Ok(()),
                    _ => Err(self.model.mismatch(OPERATION, field.as_str(), SchemaFault::Type)),
                }
            }
            Filter::IsNull { field } => self.filterable(field).map(|_| ()),
            _ => Err(self.model.unsupported(OPERATION, "", "this kind of condition")),
        }
    }

    fn filterable(&self, name: &FieldName) -> Result<(&Field, &Wire)> {
        let (field, wire) = self.model.require(OPERATION, name.as_str())?;
        if !field.filterable {
            return Err(self
                .model
                .unsupported(OPERATION, name.as_str(), "filtering by this field"));
        }
        Ok((field, wire))
    }

    fn literal(&self, field: &Field, wire: &Wire, value: &Value, out: &mut String) -> Result<()> {
        literal(self.dialect.version, self.dialect.enums, field, wire, value, out)
            .map_err(|fault| self.model.mismatch(OPERATION, field.name.as_str(), fault))
    }

    /// Pushes every `not` down to the single conditions, takes groups of one apart, and joins groups of one kind.
    fn normal(&self, filter: &Filter, negated: bool, rewritten: &mut bool) -> Node {
        match filter {
            Filter::Not(part) => {
                *rewritten = true;
                self.normal(part, !negated, rewritten)
            }
            Filter::And(parts) => self.group(parts, !negated, negated, rewritten),
            Filter::Or(parts) => self.group(parts, negated, negated, rewritten),
            Filter::In { field, values } => self.any_of(field, values, negated, rewritten),
            Filter::Compare { field, op, value } if negated => {
                let inverted = Filter::Compare {
                    field: field.clone(),
                    op: op.inverted(),
                    value: value.clone(),
                };
                let ordering = !matches!(op, Comparison::Equal | Comparison::NotEqual);
                // Null is neither greater nor less, so that the opposite of an order holds for it.
                let nullable = self
                    .model
                    .field(field.as_str())
                    .is_some_and(|(known, _)| known.nullable);
                if ordering && nullable && self.dialect.null != NullStyle::Initial {
                    let null = Filter::IsNull { field: field.clone() };
                    return Node::Or(vec![Node::leaf(inverted, false), Node::leaf(null, false)]);
                }
                Node::leaf(inverted, false)
            }
            leaf => Node::leaf(leaf.clone(), negated),
        }
    }

    fn group(&self, parts: &[Filter], all: bool, negated: bool, rewritten: &mut bool) -> Node {
        let mut out = Vec::new();
        for part in parts {
            match (self.normal(part, negated, rewritten), all) {
                (Node::Always, true) | (Node::Never, false) => {}
                (Node::Always, false) => return Node::Always,
                (Node::Never, true) => return Node::Never,
                (Node::And(inner), true) | (Node::Or(inner), false) => out.extend(inner),
                (node, _) => out.push(node),
            }
        }
        match (out.len(), all) {
            (0, true) => Node::Always,
            (0, false) => Node::Never,
            (1, _) => out.pop().unwrap_or(Node::Always),
            (_, true) => Node::And(out),
            (_, false) => Node::Or(out),
        }
    }

    /// `in` where the server has it, alternatives otherwise.
    fn any_of(&self, field: &FieldName, values: &[Value], negated: bool, rewritten: &mut bool) -> Node {
        let has_null = values.iter().any(Value::is_null);
        if self.dialect.is_in && !has_null && !values.is_empty() && !negated {
            let filter = Filter::In {
                field: field.clone(),
                values: values.to_vec(),
            };
            return Node::leaf(filter, false);
        }
        *rewritten = true;
        let op = if negated {
            Comparison::NotEqual
        } else {
            Comparison::Equal
        };
        let mut parts: Vec<Node> = values
            .iter()
            .map(|value| {
                let field = field.clone();
                Node::leaf(
                    Filter::Compare {
                        field,
                        op,
                        value: value.clone(),
                    },
                    false,
                )
            })
            .collect();
        match (parts.len(), negated) {
            (0, true) => Node::Always,
            (0, false) => Node::Never,
            (1, _) => parts.pop().unwrap_or(Node::Never),
            (_, true) => Node::And(parts),
            (_, false) => Node::Or(parts),
        }
    }

    /// Why the server cannot do it; `None` if it can.
    fn refusal(&self, node: &Node) -> Option<&'static str> {
        match node {
            Node::Always | Node::Never => None,
            Node::And(parts) => parts.iter().find_map(|part| self.refusal(part)),
            Node::Or(parts) => {
                if self.dialect.or == OrSupport::SameField && node.fields().len() > 1 {
                    return Some("the server joins alternatives on one field only");
                }
                parts.iter().find_map(|part| self.refusal(part))
            }
            Node::Leaf(Leaf { filter, negated }) => match filter {
                Filter::Contains { .. } if !self.dialect.contains => Some("the server cannot search within a text"),
                Filter::StartsWith { .. } if !self.dialect.starts_with => Some("the server cannot compare beginnings"),
                Filter::Contains { .. } | Filter::StartsWith { .. } if *negated && !self.dialect.not => {
                    Some("the server has no negation of a function")
                }
                _ => None,
            },
        }
    }

    /// Writes a condition; `within` tells that it stands beside others that are joined by `and`.
    fn write(&self, node: &Node, within: bool, out: &mut String) -> Result<()> {
        match node {
            // Both are taken out before.
            Node::Always | Node::Never => Ok(()),
            Node::And(parts) => self.joined(parts, "%20and%20", true, out),
            Node::Or(parts) if within => {
                out.push('(');
                self.joined(parts, "%20or%20", false, out)?;
                out.push(')');
                Ok(())
            }
            Node::Or(parts) => self.joined(parts, "%20or%20", false, out),
            Node::Leaf(leaf) => self.leaf(leaf, within, out),
        }
    }

    fn joined(&self, parts: &[Node], with: &str, all: bool, out: &mut String) -> Result<()> {
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                out.push_str(with);
            }
            self.write(part, all, out)?;
        }
        Ok(())
    }

    fn leaf(&self, leaf: &Leaf, within: bool, out: &mut String) -> Result<()> {
        match &leaf.filter {
            Filter::Compare { field, op, value } if value.is_null() => {
                self.null(field, *op == Comparison::NotEqual, within, out)
            }
            Filter::Compare { field, op, value } => {
                let (known, wire) = self.filterable(field)?;
                out.push_str(field.as_str());
                out.push_str(match op {
                    Comparison::Equal => "%20eq%20",
                    Comparison::NotEqual => "%20ne%20",
                    Comparison::Greater => "%20gt%20",
                    Comparison::GreaterOrEqual => "%20ge%20",
                    Comparison::Less => "%20lt%20",
                    Comparison::LessOrEqual => "%20le%20",
                });
                self.literal(known, wire, value, out)
            }
            Filter::In { field, values } => {
                let (known, wire) = self.filterable(field)?;
                out.push_str(field.as_str());
                out.push_str("%20in%20(");
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    self.literal(known, wire, value, out)?;
                }
                out.push(')');
                Ok(())
            }
            Filter::Contains { field, text } | Filter::StartsWith { field, text } => {
                let (known, _) = self.filterable(field)?;
                let text = if known.upper_case {
                    text.to_uppercase()
                } else {
                    text.clone()
                };
                let contains = matches!(leaf.filter, Filter::Contains { .. });
                if leaf.negated {
                    out.push_str("not%20");
                }
                if contains && self.dialect.version == Version::V2 {
                    out.push_str("substringof(");
                    quoted(&text, out);
                    out.push(',');
                    out.push_str(field.as_str());
                } else {
                    out.push_str(if contains { "contains(" } else { "startswith(" });
                    out.push_str(field.as_str());
                    out.push(',');
                    quoted(&text, out);
                }
                out.push(')');
                Ok(())
            }
            Filter::IsNull { field } => self.null(field, leaf.negated, within, out),
            _ => Err(self.model.unsupported(OPERATION, "", "this kind of condition")),
        }
    }

    /// "Has no value", in the server's way of having none.
    fn null(&self, name: &FieldName, negated: bool, within: bool, out: &mut String) -> Result<()> {
        let (field, wire) = self.filterable(name)?;
        let (op, join) = if negated { ("ne", "and") } else { ("eq", "or") };
        let mut value = String::new();
        let has_initial = initial(self.dialect.version, wire, &mut value).is_some();
        let by_initial = match self.dialect.null {
            NullStyle::Null => false,
            NullStyle::Initial => has_initial,
            NullStyle::Either => has_initial && field.kind == FieldKind::Text,
        };
        let by_null = !by_initial || (self.dialect.null == NullStyle::Either && field.nullable);
        match (by_initial, by_null) {
            (true, true) => {
                let group = within && !negated;
                let (open, close) = if group { ("(", ")") } else { ("", "") };
                out.push_str(&format!(
                    "{open}{name}%20{op}%20{value}%20{join}%20{name}%20{op}%20null{close}"
                ));
            }
            (true, false) => out.push_str(&format!("{name}%20{op}%20{value}")),
            (false, _) => out.push_str(&format!("{name}%20{op}%20null")),
        }
        Ok(())
    }
}

impl Node {
    fn leaf(filter: Filter, negated: bool) -> Self {
        Self::Leaf(Leaf { filter, negated })
    }

    fn fields(&self) -> Vec<&FieldName> {
        let mut out = Vec::new();
        self.collect(&mut out);
        out
    }

    fn collect<'a>(&'a self, out: &mut Vec<&'a FieldName>) {
        match self {
            Self::Always | Self::Never => {}
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.collect(out)),
            Self::Leaf(leaf) => {
                for field in leaf.filter.fields() {
                    if !out.contains(&field) {
                        out.push(field);
                    }
                }
            }
        }
    }

    /// The condition for the client.
    fn into_filter(self) -> Filter {
        match self {
            Self::Always => Filter::And(Vec::new()),
            Self::Never => Filter::Or(Vec::new()),
            Self::And(parts) => Filter::And(parts.into_iter().map(Self::into_filter).collect()),
            Self::Or(parts) => Filter::Or(parts.into_iter().map(Self::into_filter).collect()),
            Self::Leaf(leaf) if leaf.negated => leaf.filter.negated(),
            Self::Leaf(leaf) => leaf.filter,
        }
    }
}
