//! Reading: rows as V2 and V4 show them, and the query options.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::answer::{FRAMEWORK_ID, Refusal, Reply, text};
use super::filter::{Fault, compare, parse};
use super::route::{decoded, key_text};
use super::schema::{Kind, LinkDef, ServiceDef, TableDef};
use super::world::{Key, Row, World, millis};

/// How one request wants to be answered.
pub(super) struct Shape<'a> {
    pub(super) service: &'a ServiceDef,
    /// V4 numbers as texts.
    pub(super) ieee: bool,
}

/// The system query options of a request, decoded.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    filter: Option<String>,
    order: Option<String>,
    select: Option<String>,
    expand: Option<String>,
    top: Option<usize>,
    skip: Option<usize>,
    token: Option<usize>,
    bad_token: bool,
    count: bool,
    /// Everything but the skip token, encoded, for the next link.
    kept: String,
}

impl Options {
    pub(super) fn read(raw: &str, v4: bool) -> Result<Self, Refusal> {
        let mut out = Self::default();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name), decoded(&value.replace('+', " ")));
            let number = || {
                value
                    .parse::<usize>()
                    .map_err(|_| Refusal::syntax("Invalid system query option value"))
            };
            match name.as_str() {
                "$filter" => out.filter = Some(value),
                "$orderby" => out.order = Some(value),
                "$select" => out.select = Some(value),
                "$expand" => out.expand = Some(value),
                "$top" => out.top = Some(number()?),
                "$skip" => out.skip = Some(number()?),
                "$skiptoken" => {
                    out.token = value.strip_prefix("T~").and_then(|offset| offset.parse().ok());
                    out.bad_token = out.token.is_none();
                    continue;
                }
                "$inlinecount" if !v4 => out.count = value == "allpages",
                "$count" if v4 => out.count = value == "true",
                "$format" if !v4 => {}
                _ if name.starts_with('$') => {
                    return Err(Refusal::new(400, FRAMEWORK_ID, "The query option is not supported"));
                }
                _ => {}
            }
            if !out.kept.is_empty() {
                out.kept.push('&');
            }
            out.kept.push_str(pair);
        }
        Ok(out)
    }
}

fn refused(fault: &Fault, def: &TableDef, v4: bool) -> Refusal {
    match fault {
        Fault::Syntax => Refusal::syntax("Invalid token detected in the filter expression"),
        Fault::Literal => Refusal::syntax("Type conflict in a comparison of the filter expression"),
        Fault::UnknownField(name) => Refusal::property(name, &def.type_name(v4)),
        Fault::NotFilterable(name) => Refusal::new(
            400,
            "/IWBEP/CM_MGW_RT/107",
            format!("Property '{name}' is not filterable"),
        ),
    }
}

/// What `$select` and `$expand` ask of one level.
struct Wanted {
    fields: Option<Vec<usize>>,
    links: Vec<(&'static LinkDef, Option<Vec<usize>>)>,
}

fn wanted(def: &'static TableDef, options: &Options, v4: bool) -> Result<Wanted, Refusal> {
    let unknown = |name: &str| Refusal::property(name, &def.type_name(v4));
    let mut links: Vec<(&'static LinkDef, Option<Vec<usize>>)> = Vec::new();
    for part in split(options.expand.as_deref().unwrap_or_default()) {
        let (name, inner) = match part.split_once('(') {
            Some((name, rest)) if v4 => (name, rest.strip_suffix(')')),
            _ => (part.as_str(), None),
        };
        let link = def.link(name, v4).ok_or_else(|| unknown(name))?;
        let mut fields = None;
        for option in inner.unwrap_or_default().split(';').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("$select", list)) => fields = Some(positions(link.to.def(), list.split(','), v4)?),
                _ => return Err(Refusal::syntax("The option inside of $expand is not supported")),
            }
        }
        links.push((link, fields));
    }
    let mut fields = None;
    if let Some(list) = options
        .select
        .as_deref()
        .filter(|list| !list.is_empty() && *list != "*")
    {
        let mut own = Vec::new();
        for name in list.split(',') {
            let Some((link, field)) = name.split_once('/').filter(|_| !v4) else {
                // A link named alone selects all of it.
                if links.iter().any(|(link, _)| link.name(v4) == name) {
                    continue;
                }
                // The flags of drafts come along whether or not they are asked for.
                if def.draft && name.ends_with("Entity") {
                    continue;
                }
                own.push(def.at(name, v4).ok_or_else(|| unknown(name))?);
                continue;
            };
            let (link, picked) = links
                .iter_mut()
                .find(|(known, _)| known.name(v4) == link)
                .ok_or_else(|| unknown(link))?;
            let at = positions(link.to.def(), [field].into_iter(), v4)?;
            picked.get_or_insert_with(Vec::new).extend(at);
        }
        fields = Some(own);
    }
    Ok(Wanted { fields, links })
}

fn positions<'a>(def: &TableDef, names: impl Iterator<Item = &'a str>, v4: bool) -> Result<Vec<usize>, Refusal> {
    names
        .map(|name| {
            def.at(name, v4)
                .ok_or_else(|| Refusal::property(name, &def.type_name(v4)))
        })
        .collect()
}

/// Splits at commas outside of parentheses.
fn split(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let (mut depth, mut part) = (0u32, String::new());
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                out.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    if !part.is_empty() {
        out.push(part);
    }
    out
}

/// The records that belong to another one through a link.
fn children<'a>(world: &'a World, def: &TableDef, row: &Row, link: &LinkDef) -> Vec<&'a Row> {
    let to = link.to.def();
    // The parent's key is the beginning of the children's.
    let parent: Vec<_> = def
        .keys()
        .map(|(at, _)| row.values.get(at).cloned().flatten())
        .collect();
    let rows = world.rows(link.to).iter();
    rows.filter(|child| {
        to.keys()
            .zip(&parent)
            .all(|((at, _), wanted)| child.values.get(at) == Some(wanted))
    })
    .collect()
}

/// A list: filter, order, page, shape.
pub(super) fn list(
    world: &World,
    shape: &Shape<'_>,
    def: &'static TableDef,
    within: Option<(&TableDef, &Key, &LinkDef)>,
    path: &str,
    options: &Options,
) -> Result<Reply, Refusal> {
    let v4 = shape.service.v4;
    let mut rows: Vec<&Row> = match within {
        None => world.rows(def.table).iter().collect(),
        Some((parent, key, link)) => {
            let row = world.get(parent, key, v4)?;
            children(world, parent, row, link)
        }
    };
    if !world.settings.ignores_filters
        && let Some(filter) = options.filter.as_deref().filter(|filter| !filter.trim().is_empty())
    {
        // Drafts are asked for by a flag that is no field of the schema.
        let (filter, active) = without_draft_flag(def, filter);
        if let Some(active) = active {
            rows.retain(|row| row.active == active);
        }
        if !filter.is_empty() {
            let expr = parse(&filter, def, v4).map_err(|fault| refused(&fault, def, v4))?;
            rows.retain(|row| expr.matches(def, &row.values));
        }
    }
    if let Some(order) = options.order.as_deref().filter(|order| !order.is_empty()) {
        let mut by = Vec::new();
        for part in order.split(',') {
            let (name, down) = match part.trim().split_once(' ') {
                Some((name, direction)) => (name, direction.trim() == "desc"),
                None => (part.trim(), false),
            };
            if def.draft && name == "IsActiveEntity" {
                continue;
            }
            let at = def
                .at(name, v4)
                .ok_or_else(|| Refusal::property(name, &def.type_name(v4)))?;
            by.push((at, down));
        }
        rows.sort_by(|left, right| by_fields(def, &by, left, right));
    } else {
        let keys: Vec<_> = def.keys().map(|(at, _)| (at, false)).collect();
        rows.sort_by(|left, right| by_fields(def, &keys, left, right));
    }
    if options.count && world.settings.counts_fail {
        return Err(Refusal::new(
            500,
            "/IWBEP/CX_MGW_TECH",
            "In the context of Data Services an unknown internal server error occurred",
        ));
    }
    if options.bad_token && v4 {
        return Err(Refusal::new(
            400,
            "/IWBEP/CM_V4_RUNTIME/021",
            "The skip token is not valid",
        ));
    }
    let rows: Vec<&Row> = rows.into_iter().skip(options.skip.unwrap_or(0)).collect();
    let total = rows.len() + options.skip.unwrap_or(0);
    let rows: Vec<&Row> = match options.top {
        Some(top) if !world.settings.ignores_filters => rows.into_iter().take(top).collect(),
        _ => rows,
    };
    // V2 gives the first page again for a token that it does not know.
    let from = options.token.unwrap_or(0).min(rows.len());
    let most = match options.top {
        Some(_) => world.settings.most_rows,
        None => world.settings.page_size(v4),
    };
    let page = rows.get(from..).unwrap_or_default();
    let (page, more) = match page.len() > most {
        true => (page.get(..most).unwrap_or_default(), true),
        false => (page, false),
    };
    let wanted = wanted(def, options, v4)?;
    let mut out = String::new();
    for (at, row) in page.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        render(world, shape, def, row, &wanted, &mut out);
    }
    let next = more.then(|| {
        let mark = if options.kept.is_empty() { "" } else { "&" };
        format!("{path}?{}{mark}%24skiptoken=T~{}", options.kept, from + most)
    });
    let body = match v4 {
        true => {
            let mut body = format!("{{\"@odata.context\":\"$metadata#{}\"", def.v4);
            body.push_str(",\"@odata.metadataEtag\":\"W/\\\"20261126081500\\\"\"");
            if options.count {
                let _ = match shape.ieee {
                    true => write!(body, ",\"@odata.count\":\"{total}\""),
                    false => write!(body, ",\"@odata.count\":{total}"),
                };
            }
            if let Some(next) = next {
                let _ = write!(body, ",\"@odata.nextLink\":{}", text(&next));
            }
            let _ = write!(body, ",\"value\":[{out}]}}");
            body
        }
        false => {
            let mut body = String::from("{\"d\":{");
            if options.count {
                let _ = write!(body, "\"__count\":\"{total}\",");
            }
            let _ = write!(body, "\"results\":[{out}]");
            if let Some(next) = next {
                let address = format!("{}{}/{next}", world.base, shape.service.root());
                let _ = write!(body, ",\"__next\":{}", text(&address));
            }
            body.push_str("}}");
            body
        }
    };
    Ok(Reply::json(200, v4, body))
}

fn without_draft_flag(def: &TableDef, filter: &str) -> (String, Option<bool>) {
    if !def.draft {
        return (filter.to_owned(), None);
    }
    for (flag, active) in [("IsActiveEntity eq true", true), ("IsActiveEntity eq false", false)] {
        if let Some(rest) = filter.strip_prefix(flag) {
            return (rest.trim_start_matches(" and ").to_owned(), Some(active));
        }
        if let Some(rest) = filter.strip_suffix(flag) {
            return (rest.trim_end_matches(" and ").to_owned(), Some(active));
        }
    }
    (filter.to_owned(), None)
}

fn by_fields(def: &TableDef, by: &[(usize, bool)], left: &Row, right: &Row) -> Ordering {
    for (at, down) in by {
        let kind = def.fields.get(*at).map_or(Kind::Bool, |field| field.kind);
        let value = |row: &Row| row.values.get(*at).cloned().flatten();
        let order = match (value(left), value(right)) {
            (Some(left), Some(right)) => compare(kind, &left, &right),
            (left, right) => left.is_some().cmp(&right.is_some()),
        };
        let order = if *down { order.reverse() } else { order };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// How many there are, as plain text.
pub(super) fn count(world: &World, def: &'static TableDef, options: &Options, v4: bool) -> Result<Reply, Refusal> {
    let rows = world.rows(def.table).iter();
    let number = match options.filter.as_deref() {
        Some(filter) => {
            let expr = parse(filter, def, v4).map_err(|fault| refused(&fault, def, v4))?;
            rows.filter(|row| expr.matches(def, &row.values)).count()
        }
        None => rows.count(),
    };
    Ok(Reply::plain(200, "text/plain", number.to_string()))
}

/// One record.
pub(super) fn one(
    world: &World,
    shape: &Shape<'_>,
    def: &'static TableDef,
    key: &Key,
    options: &Options,
    status: u16,
) -> Result<Reply, Refusal> {
    let v4 = shape.service.v4;
    let row = world.get(def, key, v4)?;
    let wanted = wanted(def, options, v4)?;
    let mut out = String::new();
    if v4 {
        let _ = write!(out, "{{\"@odata.context\":\"$metadata#{}/$entity\",", def.v4);
        let mut inner = String::new();
        render(world, shape, def, row, &wanted, &mut inner);
        out.push_str(inner.get(1..).unwrap_or_default());
    } else {
        out.push_str("{\"d\":");
        render(world, shape, def, row, &wanted, &mut out);
        out.push('}');
    }
    let mut reply = Reply::json(status, v4, out);
    if let Some(etag) = row.etag(def) {
        reply = reply.with("etag", etag);
    }
    Ok(reply)
}

/// The address of a record.
pub(super) fn address(world: &World, service: &ServiceDef, def: &TableDef, key: &Key) -> String {
    let path = format!("{}({})", def.set(service.v4), key_text(def, key, service.v4));
    match service.v4 {
        true => path,
        false => format!("{}{}/{path}", world.base, service.root()),
    }
}

fn render(world: &World, shape: &Shape<'_>, def: &'static TableDef, row: &Row, wanted: &Wanted, out: &mut String) {
    let v4 = shape.service.v4;
    let mut first = true;
    let mut name = |out: &mut String, name: &str| {
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        let _ = write!(out, "\"{name}\":");
    };
    out.push('{');
    if v4 {
        if let Some(etag) = row.etag(def) {
            name(out, "@odata.etag");
            out.push_str(&text(&etag));
        }
    } else {
        let uri = address(world, shape.service, def, &row.key(def));
        name(out, "__metadata");
        let _ = write!(
            out,
            "{{\"id\":{},\"uri\":{},\"type\":\"{}.{}\"",
            text(&uri),
            text(&uri),
            shape.service.namespace,
            def.type_name(false)
        );
        if let Some(etag) = row.etag(def) {
            let _ = write!(out, ",\"etag\":{}", text(&etag));
        }
        out.push('}');
    }
    for (at, field) in def.fields.iter().enumerate() {
        if wanted.fields.as_ref().is_some_and(|fields| !fields.contains(&at)) {
            continue;
        }
        name(out, field.name(v4));
        value(
            field.kind,
            row.values.get(at).and_then(Option::as_deref),
            v4,
            shape.ieee,
            out,
        );
    }
    if def.draft {
        let twin = world
            .rows(def.table)
            .iter()
            .any(|other| other.active != row.active && other.key(def).values == row.key(def).values);
        name(out, "IsActiveEntity");
        let _ = write!(out, "{}", row.active);
        name(out, "HasActiveEntity");
        let _ = write!(out, "{}", twin && !row.active);
        name(out, "HasDraftEntity");
        let _ = write!(out, "{}", twin && row.active);
    }
    for link in def.links {
        let expanded = wanted.links.iter().find(|(known, _)| known.name(v4) == link.name(v4));
        match expanded {
            Some((_, fields)) => {
                name(out, link.name(v4));
                out.push_str(if v4 { "[" } else { "{\"results\":[" });
                let inner = Wanted {
                    fields: fields.clone(),
                    links: Vec::new(),
                };
                for (at, child) in children(world, def, row, link).into_iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    render(world, shape, link.to.def(), child, &inner, out);
                }
                out.push_str(if v4 { "]" } else { "]}" });
            }
            None if !v4 && wanted.fields.is_none() => {
                let uri = address(world, shape.service, def, &row.key(def));
                name(out, link.v2);
                let _ = write!(
                    out,
                    "{{\"__deferred\":{{\"uri\":{}}}}}",
                    text(&format!("{uri}/{}", link.v2))
                );
            }
            None => {}
        }
    }
    out.push('}');
}

fn value(kind: Kind, value: Option<&str>, v4: bool, ieee: bool, out: &mut String) {
    let Some(value) = value else {
        out.push_str("null");
        return;
    };
    match kind {
        Kind::Bool => out.push_str(value),
        Kind::Decimal(..) if v4 && !ieee => out.push_str(value),
        Kind::Date if !v4 => {
            let _ = write!(out, "\"\\/Date({})\\/\"", millis(value));
        }
        Kind::Stamp if !v4 => {
            let _ = write!(out, "\"\\/Date({}+0000)\\/\"", millis(value));
        }
        Kind::Text(_) | Kind::Decimal(..) | Kind::Date | Kind::Stamp => out.push_str(&text(value)),
    }
}
