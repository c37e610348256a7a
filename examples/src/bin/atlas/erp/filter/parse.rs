//! From words to a filter, with the types of the catalog.

use atlas_connectors::erp::{Comparison, FieldName, Filter, Value};

use super::FilterFault;
use super::lex::{Piece, Token, lex};
use crate::erp::typed::{self, Types};

/// How deep expressions may be nested.
const DEEPEST: usize = 64;

/// Reads an expression.
pub(crate) fn parse(text: &str, types: &dyn Types) -> Result<Filter, FilterFault> {
    let mut parser = Parser {
        text,
        tokens: lex(text)?,
        at: 0,
        types,
    };
    let filter = parser.any(0)?;
    match parser.peek() {
        None => Ok(filter),
        Some(Piece::Close) => Err(parser.fault("there is no opening parenthesis to this one")),
        Some(_) => Err(parser.fault("`and` or `or` is expected here")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    types: &'a dyn Types,
}

/// How a field is asked about.
enum Asked {
    Compare(Comparison),
    In,
    Contains,
    StartsWith,
    Null,
}

impl Parser<'_> {
    fn any(&mut self, depth: usize) -> Result<Filter, FilterFault> {
        let mut parts = vec![self.all(depth)?];
        while self.take_word("or") {
            parts.push(self.all(depth)?);
        }
        Ok(joined(parts, Filter::Or))
    }

    fn all(&mut self, depth: usize) -> Result<Filter, FilterFault> {
        let mut parts = vec![self.one(depth)?];
        while self.take_word("and") {
            parts.push(self.one(depth)?);
        }
        Ok(joined(parts, Filter::And))
    }

    fn one(&mut self, depth: usize) -> Result<Filter, FilterFault> {
        if depth > DEEPEST {
            return Err(self.fault("this is nested too deeply"));
        }
        if self.take_word("not") {
            return Ok(self.one(depth + 1)?.negated());
        }
        if self.take(&Piece::Open) {
            let inner = self.any(depth + 1)?;
            if !self.take(&Piece::Close) {
                return Err(self.fault("a closing parenthesis is expected here"));
            }
            return Ok(inner);
        }
        self.condition()
    }

    fn condition(&mut self) -> Result<Filter, FilterFault> {
        let span = self.span();
        let Some(Piece::Word(name)) = self.peek().cloned() else {
            return Err(self.fault("the name of a field is expected here"));
        };
        let keyword = ["and", "or", "in", "contains", "is"];
        if keyword.iter().any(|word| name.eq_ignore_ascii_case(word)) {
            return Err(self.fault("the name of a field is expected here"));
        }
        let field = self
            .types
            .field(&name)
            .map_err(|why| FilterFault::new(self.text, span, why))?;
        self.at += 1;
        let (asked, negated) = self.asked()?;
        let name = FieldName::new(name);
        let filter = match asked {
            Asked::Null => Filter::IsNull { field: name },
            Asked::In => Filter::In {
                field: name,
                values: self.values(&field)?,
            },
            Asked::Contains => Filter::Contains {
                field: name,
                text: self.text_of_value()?,
            },
            Asked::StartsWith => Filter::StartsWith {
                field: name,
                text: self.text_of_value()?,
            },
            Asked::Compare(op) => self.compare(name, &field, op)?,
        };
        Ok(if negated { filter.negated() } else { filter })
    }

    fn compare(&mut self, name: FieldName, field: &typed::FieldType, op: Comparison) -> Result<Filter, FilterFault> {
        let span = self.span();
        let value = self.value(field)?;
        if !value.is_null() {
            return Ok(Filter::Compare { field: name, op, value });
        }
        let null = Filter::IsNull { field: name };
        match op {
            Comparison::Equal => Ok(null),
            Comparison::NotEqual => Ok(null.negated()),
            _ => Err(FilterFault::new(
                self.text,
                span,
                "nothing is greater or less than null",
            )),
        }
    }

    fn asked(&mut self) -> Result<(Asked, bool), FilterFault> {
        let compare = |op| Ok((Asked::Compare(op), false));
        match self.peek().cloned() {
            Some(Piece::Sign(sign)) => {
                self.at += 1;
                match sign {
                    "=" => compare(Comparison::Equal),
                    "!=" => compare(Comparison::NotEqual),
                    ">" => compare(Comparison::Greater),
                    ">=" => compare(Comparison::GreaterOrEqual),
                    "<" => compare(Comparison::Less),
                    "<=" => compare(Comparison::LessOrEqual),
                    _ => Ok((Asked::Contains, false)),
                }
            }
            Some(Piece::Word(_)) => {
                if self.take_word("is") {
                    let negated = self.take_word("not");
                    return match self.take_word("null") {
                        true => Ok((Asked::Null, negated)),
                        false => Err(self.fault("`null` is expected here")),
                    };
                }
                let negated = self.take_word("not");
                if self.take_word("in") {
                    return Ok((Asked::In, negated));
                }
                if self.take_word("contains") {
                    return Ok((Asked::Contains, negated));
                }
                if self.take_word("starts") {
                    return match self.take_word("with") {
                        true => Ok((Asked::StartsWith, negated)),
                        false => Err(self.fault("`with` is expected here")),
                    };
                }
                Err(self.fault(COMPARISON))
            }
            _ => Err(self.fault(COMPARISON)),
        }
    }

    fn values(&mut self, field: &typed::FieldType) -> Result<Vec<Value>, FilterFault> {
        if !self.take(&Piece::Open) {
            return Err(self.fault("a list is expected here: in (one, two)"));
        }
        let mut values = vec![self.value(field)?];
        while self.take(&Piece::Comma) {
            values.push(self.value(field)?);
        }
        match self.take(&Piece::Close) {
            true => Ok(values),
            false => Err(self.fault("a comma or a closing parenthesis is expected here")),
        }
    }

    fn value(&mut self, field: &typed::FieldType) -> Result<Value, FilterFault> {
        let span = self.span();
        let value = match self.peek() {
            Some(Piece::Word(word)) if word.eq_ignore_ascii_case("null") => Ok(Value::Null),
            Some(Piece::Word(word)) => typed::value(field, word, false),
            Some(Piece::Quoted(text)) => typed::value(field, text, true),
            _ => return Err(self.fault("a value is expected here; words with blanks or signs stand in quotes")),
        };
        self.at += 1;
        value.map_err(|why| FilterFault::new(self.text, span, why))
    }

    fn text_of_value(&mut self) -> Result<String, FilterFault> {
        let text = match self.peek() {
            Some(Piece::Word(text) | Piece::Quoted(text)) => text.clone(),
            _ => return Err(self.fault("a text is expected here")),
        };
        self.at += 1;
        Ok(text)
    }

    fn peek(&self) -> Option<&Piece> {
        self.tokens.get(self.at).map(|token| &token.piece)
    }

    fn take(&mut self, piece: &Piece) -> bool {
        let there = self.peek() == Some(piece);
        self.at += usize::from(there);
        there
    }

    fn take_word(&mut self, word: &str) -> bool {
        let there = matches!(self.peek(), Some(Piece::Word(found)) if found.eq_ignore_ascii_case(word));
        self.at += usize::from(there);
        there
    }

    /// The place of the next piece; behind the last one at the end.
    fn span(&self) -> (usize, usize) {
        let end = self.text.len();
        self.tokens.get(self.at).map_or((end, end), |token| token.span)
    }

    fn fault(&self, why: &str) -> FilterFault {
        FilterFault::new(self.text, self.span(), why)
    }
}

const COMPARISON: &str = "a comparison is expected here: = != > >= < <= in contains, starts with, is null";

fn joined(mut parts: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            join(parts)
        }
        None => join(parts),
    }
}

#[cfg(test)]
mod tests {
    use atlas_connectors::erp::{Catalog, Entity, EnumValue, Field, FieldKind, Relation, field};
    use atlas_connectors::{Clock as _, SystemClock};

    use super::*;
    use crate::erp::typed::EntityTypes;

    fn catalog() -> Catalog {
        let mut order = Entity::new("sale.order", ["id"]);
        let mut add = |name: &str, kind| order.fields.push(Field::new(name, kind));
        add("id", FieldKind::Integer);
        add("name", FieldKind::Text);
        add("amount_total", FieldKind::Decimal);
        add("date_order", FieldKind::Instant);
        add("commitment_date", FieldKind::Date);
        add("locked", FieldKind::Bool);
        let mut state = Field::new("state", FieldKind::Enum);
        state.values = vec![
            EnumValue::new("draft", "Quotation"),
            EnumValue::new("sale", "Sales order"),
        ];
        order.fields.push(state);
        let mut partner = Field::new("partner_id", FieldKind::Relation);
        partner.relation = Some("res.partner".into());
        order.fields.push(partner);
        order.fields.push(Field::new("order_line", FieldKind::Relations));
        let mut partner = Entity::new("res.partner", ["id"]);
        partner.fields.push(Field::new("ref", FieldKind::Text));
        let mut catalog = Catalog::new("odoo", SystemClock.now());
        catalog.entities = vec![order, partner];
        catalog
    }

    fn read(text: &str) -> Result<Filter, FilterFault> {
        let catalog = catalog();
        let types = EntityTypes::of(&catalog, "sale.order").unwrap();
        parse(text, &types)
    }

    fn fault(text: &str) -> (usize, usize, String) {
        let fault = read(text).unwrap_err();
        let (before, marked) = fault.columns();
        (before, marked, fault.why)
    }

    #[test]
    fn values_get_the_types_of_the_catalog() {
        let state = |value: &str| field("state").equals(Value::Enum(value.into()));
        let total = |text: &str| Value::Decimal(text.parse().unwrap());
        assert_eq!(
            read("state = sale and amount_total > 1000.50").unwrap(),
            state("sale").and(field("amount_total").greater(total("1000.50")))
        );
        assert_eq!(
            read("amount_total = 1000").unwrap(),
            field("amount_total").equals(total("1000"))
        );
        // Text stays text, however much it looks like a number.
        assert_eq!(read("name = 0042").unwrap(), field("name").equals("0042"));
        assert_eq!(read("id = 42").unwrap(), field("id").equals(42_i64));
        assert_eq!(read("locked = yes").unwrap(), field("locked").equals(true));
        assert_eq!(
            read("partner_id = 9").unwrap(),
            field("partner_id").equals(Relation::to("9"))
        );
        assert_eq!(
            read("partner_id.ref starts with C").unwrap(),
            field("partner_id.ref").starts_with("C")
        );
        let day: atlas_connectors::erp::Date = "2026-01-01".parse().unwrap();
        assert_eq!(
            read("commitment_date >= 2026-01-01").unwrap(),
            field("commitment_date").at_least(day)
        );
        let moment: atlas_connectors::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(
            read("date_order < 2026-01-01").unwrap(),
            field("date_order").less(moment)
        );
    }

    #[test]
    fn and_binds_closer_than_or_and_parentheses_closest() {
        let (a, b, c) = (
            field("id").equals(1_i64),
            field("id").equals(2_i64),
            field("id").equals(3_i64),
        );
        assert_eq!(
            read("id = 1 or id = 2 and id = 3").unwrap(),
            Filter::Or(vec![a.clone(), Filter::And(vec![b.clone(), c.clone()])])
        );
        assert_eq!(
            read("(id=1 OR id=2) AND NOT id=3").unwrap(),
            Filter::And(vec![Filter::Or(vec![a, b]), c.negated()])
        );
    }

    #[test]
    fn lists_nulls_and_texts() {
        let states = ["draft", "sale"].map(|state| Value::Enum(state.into()));
        assert_eq!(
            read("state in (draft, 'sale')").unwrap(),
            field("state").is_in(states.clone())
        );
        assert_eq!(
            read("state not in (draft,sale)").unwrap(),
            field("state").is_in(states).negated()
        );
        assert_eq!(read("name is null").unwrap(), field("name").is_null());
        assert_eq!(read("name != null").unwrap(), field("name").is_null().negated());
        assert_eq!(read("name is not null").unwrap(), field("name").is_null().negated());
        assert_eq!(
            read(r#"name contains "O'Neil ""& Söhne"" 100%""#).unwrap(),
            field("name").contains(r#"O'Neil "& Söhne" 100%"#)
        );
        // In quotes it is a text, not a keyword.
        assert_eq!(read("name = 'null'").unwrap(), field("name").equals("null"));
    }

    #[test]
    fn faults_point_at_their_place() {
        assert_eq!(
            fault("amount_totl > 5"),
            (0, 11, "there is no field amount_totl; amount_total?".to_owned())
        );
        assert_eq!(fault("state = sold"), (8, 4, "state is one of draft, sale".to_owned()));
        assert_eq!(
            fault("amount_total > much"),
            (15, 4, "amount_total holds exact numbers, such as 1234.50".to_owned())
        );
        assert_eq!(
            fault("commitment_date = 01.02.2026").2,
            "commitment_date holds days, such as 2026-01-31"
        );
        assert_eq!(fault("name = ").0, 7);
        assert_eq!(fault("(name = a").2, "a closing parenthesis is expected here");
        assert_eq!(fault("name = a b").2, "`and` or `or` is expected here");
        assert_eq!(fault("name a").2, COMPARISON);
        assert_eq!(fault("name = a && id = 1").2, "write `and`");
        assert_eq!(fault("name = \"open").2, "the text that begins here has no closing \"");
        assert_eq!(fault("").0, 0);
        assert_eq!(fault("id > null").2, "nothing is greater or less than null");
        assert!(
            fault("order_line = 3")
                .2
                .starts_with("order_line holds several records")
        );
        assert_eq!(
            read("x = 1").unwrap_err().to_string(),
            "there is no field x\n  x = 1\n  ^"
        );
    }

    #[test]
    fn nesting_has_an_end() {
        let deep = format!("{}id = 1{}", "(".repeat(10_000), ")".repeat(10_000));
        assert_eq!(fault(&deep).2, "this is nested too deeply");
        assert_eq!(fault(&"not ".repeat(10_000)).2, "this is nested too deeply");
    }
}
