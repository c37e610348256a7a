//! The mock of SAP against traffic recorded from SAP's own OData stack (`fixtures/sap/cap-v2` and `cap-v4` of the shared
//! folder): status, content type, the members of envelopes, and the form of every field that both have. Values are not
//! compared. What may differ stands in [`INTENDED`] with a reason, and an entry that no longer differs fails. Without the
//! folder the cases show as ignored.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use atlas_connectors::http::{EgressRules, HttpTransport as _, ReqwestTransport};
use atlas_connectors_erp::mock::Sap;
use atlas_connectors_erp::mock::sap::{PASSWORD, Table, Tokens, WRITER};
use base64::Engine as _;
use bytes::Bytes;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

/// A recorded case and the request that provokes its like at the mock.
struct Case {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
}

const fn get(name: &'static str, path: &'static str) -> Case {
    Case {
        name,
        method: "GET",
        path,
        headers: &[],
        body: "",
    }
}

const fn send(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
) -> Case {
    Case {
        name,
        method,
        path,
        headers,
        body,
    }
}

macro_rules! v2 {
    ($path:literal) => {
        concat!("/sap/opu/odata/sap/API_SALES_ORDER_SRV/", $path)
    };
}
macro_rules! v4 {
    ($path:literal) => {
        concat!(
            "/sap/opu/odata4/sap/api_salesorder/srvd_a2x/sap/salesorder/0001/",
            $path
        )
    };
}

const ANY: &[(&str, &str)] = &[("if-match", "*")];
const STALE: &[(&str, &str)] = &[("if-match", "W/\"stale\"")];

const CASES: &[Case] = &[
    get("cap-v2/service_document", v2!("")),
    get(
        "cap-v2/collection_select",
        v2!(
            "A_SalesOrder?$top=3&$select=SalesOrder,SalesOrderType,SoldToParty,TotalNetAmount,TransactionCurrency,CreationDate,LastChangeDateTime"
        ),
    ),
    get(
        "cap-v2/collection_inlinecount",
        v2!("A_SalesOrder?$top=1&$select=SalesOrder&$inlinecount=allpages"),
    ),
    get(
        "cap-v2/collection_empty",
        v2!("A_SalesOrder?$filter=SalesOrder%20eq%20'nope'&$select=SalesOrder"),
    ),
    get(
        "cap-v2/key_single",
        v2!(
            "A_SalesOrder('1')?$select=SalesOrder,SalesOrderType,SoldToParty,TotalNetAmount,CreationDate,LastChangeDateTime"
        ),
    ),
    get(
        "cap-v2/expand_items",
        v2!(
            "A_SalesOrder?$top=1&$skip=1&$expand=to_Item&$select=SalesOrder,to_Item/SalesOrder,to_Item/SalesOrderItem,to_Item/Material,to_Item/RequestedQuantity,to_Item/NetAmount"
        ),
    ),
    get(
        "cap-v2/navigation_to_many",
        v2!("A_SalesOrder('2')/to_Item?$select=SalesOrder,SalesOrderItem"),
    ),
    get("cap-v2/error_unknown_key", v2!("A_SalesOrder('88888888')")),
    send(
        "cap-v2/create_deep_insert",
        "POST",
        v2!("A_SalesOrder"),
        &[],
        r#"{"SalesOrderType":"OR","SoldToParty":"1000000","to_Item":[{"Material":"TG0000","RequestedQuantity":"2.000"}]}"#,
    ),
    send(
        "cap-v2/create_warning",
        "POST",
        v2!("A_SalesOrder"),
        &[],
        r#"{"SalesOrderType":"OR","SoldToParty":"1000000"}"#,
    ),
    send(
        "cap-v2/create_error_single",
        "POST",
        v2!("A_SalesOrder"),
        &[],
        r#"{"SalesOrderType":"OR","SoldToParty":"9999999"}"#,
    ),
    send(
        "cap-v2/update_merge_ok",
        "MERGE",
        v2!("A_SalesOrder('1')"),
        ANY,
        r#"{"PurchaseOrderByCustomer":"merged"}"#,
    ),
    send(
        "cap-v2/update_if_match_stale",
        "PATCH",
        v2!("A_SalesOrder('1')"),
        STALE,
        r#"{"PurchaseOrderByCustomer":"x"}"#,
    ),
    send(
        "cap-v2/update_without_if_match",
        "PATCH",
        v2!("A_SalesOrder('1')"),
        &[],
        r#"{"PurchaseOrderByCustomer":"x"}"#,
    ),
    send(
        "cap-v2/update_locked",
        "PATCH",
        v2!("A_SalesOrder('12')"),
        ANY,
        r#"{"PurchaseOrderByCustomer":"x"}"#,
    ),
    send(
        "cap-v2/function_import_post",
        "POST",
        v2!("releaseApprovalRequest?SalesOrder='7'"),
        &[],
        "{}",
    ),
    send("cap-v2/delete_ok", "DELETE", v2!("A_SalesOrder('2')"), ANY, ""),
    get("cap-v4/service_document", v4!("")),
    get(
        "cap-v4/collection_select",
        v4!(
            "SalesOrder?$top=3&$select=SalesOrder,SalesOrderType,SoldToParty,TotalNetAmount,TransactionCurrency,CreationDate,LastChangeDateTime"
        ),
    ),
    get(
        "cap-v4/collection_count",
        v4!("SalesOrder?$top=1&$select=SalesOrder&$count=true"),
    ),
    get(
        "cap-v4/collection_empty",
        v4!("SalesOrder?$filter=SalesOrder%20eq%20'nope'&$select=SalesOrder"),
    ),
    get(
        "cap-v4/key_single",
        v4!(
            "SalesOrder('1')?$select=SalesOrder,SalesOrderType,SoldToParty,TotalNetAmount,TransactionCurrency,CreationDate,LastChangeDateTime"
        ),
    ),
    get(
        "cap-v4/expand_items",
        v4!(
            "SalesOrder?$top=1&$skip=1&$select=SalesOrder&$expand=_Item($select=SalesOrder,SalesOrderItem,Product,RequestedQuantity,NetAmount)"
        ),
    ),
    get("cap-v4/error_unknown_key", v4!("SalesOrder('88888888')")),
    send(
        "cap-v4/create_deep_insert",
        "POST",
        v4!("SalesOrder"),
        &[],
        r#"{"SalesOrderType":"OR","SoldToParty":"1000000","_Item":[{"Product":"TG0000","RequestedQuantity":2.000}]}"#,
    ),
    send(
        "cap-v4/create_error_many",
        "POST",
        v4!("SalesOrder"),
        &[],
        r#"{"SalesOrderType":"XX","SoldToParty":"9999999","_Item":[{"Product":"NOPE"}]}"#,
    ),
    send(
        "cap-v4/update_ok",
        "PATCH",
        v4!("SalesOrder('1')"),
        ANY,
        r#"{"PurchaseOrderByCustomer":"patched"}"#,
    ),
    send(
        "cap-v4/update_if_match_stale",
        "PATCH",
        v4!("SalesOrder('1')"),
        STALE,
        r#"{"PurchaseOrderByCustomer":"x"}"#,
    ),
    send(
        "cap-v4/update_without_if_match",
        "PATCH",
        v4!("SalesOrder('1')"),
        &[],
        r#"{"PurchaseOrderByCustomer":"x"}"#,
    ),
    send(
        "cap-v4/update_locked",
        "PATCH",
        v4!("SalesOrder('12')"),
        ANY,
        r#"{"PurchaseOrderByCustomer":"x"}"#,
    ),
];

/// A difference that is meant: part of its description, and why.
const INTENDED: &[(&str, &str)] = &[
    (
        "cap-v2/update_merge_ok: status 200, mock 204",
        "an ABAP gateway answers 204 without a body",
    ),
    (
        "cap-v2/update_merge_ok: recorded d",
        "an ABAP gateway answers 204 without a body",
    ),
    (
        "cap-v2/update_merge_ok: content-type",
        "an ABAP gateway answers 204 without a body",
    ),
    (": mock d.__metadata.id", "a gateway names the id beside the address"),
    (
        ": mock d.results.__metadata.id",
        "a gateway names the id beside the address",
    ),
    (
        ": mock d.results.to_Item.results.__metadata.id",
        "a gateway names the id beside the address",
    ),
    (
        ": mock d.to_Item.results.__metadata.id",
        "a gateway names the id beside the address",
    ),
    (
        ": mock @odata.metadataEtag",
        "a gateway tells the state of the metadata with each list",
    ),
    (": recorded error.severity", "CAP's adapter adds it to the root"),
    (": recorded error.target", "CAP's adapter adds it to the root"),
    (
        ": recorded error.@Common.numericSeverity",
        "another namespace at a gateway",
    ),
    (
        ": recorded error.details.@Common.numericSeverity",
        "another namespace at a gateway",
    ),
    (
        ": mock error.details.@SAP__common.numericSeverity",
        "another namespace at a gateway",
    ),
    (": mock error.details.numericSeverity", "another namespace at a gateway"),
    (
        ": mock error.@SAP__common.ExceptionCategory",
        "a gateway tells more of where it happened",
    ),
    (": mock error.innererror.", "a gateway tells more of where it happened"),
    (": mock error.target", "CAP names the target in the details only"),
    (": recorded d.results.to_Partner", "the mock has fewer links"),
    (": recorded d.to_", "the mock has fewer links"),
    (
        ": recorded error.innererror.errordetails.message.",
        "CAP's adapter writes the first detail like the root; a gateway's is a text",
    ),
    (
        "service_document: header etag",
        "the mock's service document has no state",
    ),
    (
        "cap-v4/service_document: recorded @odata.metadataEtag",
        "the mock's service document has no state",
    ),
    (
        ": @odata.count is number, mock digits",
        "allowed with IEEE754Compatible",
    ),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let shared = shared().map(|folder| folder.join("fixtures/sap"));
    let mut trials = Vec::new();
    for case in CASES {
        let file = shared.as_ref().map(|folder| folder.join(format!("{}.json", case.name)));
        let absent = file.is_none();
        let trial = Trial::test(case.name, move || match file {
            Some(file) => judge(&block_on(differences(case, &file))?),
            None => Err(Failed::from("the shared folder is absent")),
        });
        trials.push(match absent {
            true => trial
                .with_kind("shared folder absent, see ATLAS_SHARED")
                .with_ignored_flag(true),
            false => trial,
        });
    }
    if let Some(folder) = shared {
        trials.push(Trial::test("no_intended_difference_is_left_over", move || {
            let mut found = BTreeSet::new();
            for case in CASES {
                let file = folder.join(format!("{}.json", case.name));
                found.extend(block_on(differences(case, &file))?);
            }
            let idle: Vec<_> = INTENDED
                .iter()
                .filter(|(part, _)| !found.iter().any(|difference| difference.contains(part)))
                .collect();
            match idle.is_empty() {
                true => Ok(()),
                false => Err(Failed::from(format!("these no longer differ: {idle:?}"))),
            }
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn judge(found: &BTreeSet<String>) -> Result<(), Failed> {
    let unmeant: Vec<_> = found
        .iter()
        .filter(|difference| !INTENDED.iter().any(|(part, _)| difference.contains(part)))
        .collect();
    match unmeant.is_empty() {
        true => Ok(()),
        false => Err(Failed::from(format!("{unmeant:#?}"))),
    }
}

async fn differences(case: &'static Case, file: &Path) -> Result<BTreeSet<String>, Failed> {
    let recorded: Value = serde_json::from_slice(&std::fs::read(file)?)?;
    let answer = &recorded["response"];
    let sap = Sap::builder().tokens(Tokens::NotNeeded).start().await?;
    sap.lock(Table::SalesOrder, "12");
    let transport = ReqwestTransport::builder()
        .with_egress(EgressRules::strict().allow_loopback())
        .build()
        .map_err(|error| Failed::from(error.to_string()))?;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{WRITER}:{PASSWORD}"));
    let mut request = http::Request::builder()
        .method(case.method)
        .uri(format!("{}{}", sap.uri(), case.path))
        .header("authorization", format!("Basic {basic}"))
        .header("content-type", "application/json");
    let asked = recorded["request"]["headers"]["Accept"]
        .as_str()
        .unwrap_or("application/json");
    request = request.header("accept", asked);
    for (name, value) in case.headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Bytes::from_static(case.body.as_bytes()))?;
    let ours = transport
        .send(request)
        .await
        .map_err(|error| Failed::from(error.to_string()))?;

    let mut out = BTreeSet::new();
    let mut note = |text: String| {
        out.insert(format!("{}: {text}", case.name));
    };
    let status = answer["status"].as_u64().unwrap_or_default();
    if status != u64::from(ours.status().as_u16()) {
        note(format!("status {status}, mock {}", ours.status().as_u16()));
    }
    let header = |name: &str| {
        let pairs = answer["headers"].as_array().into_iter().flatten();
        let mut found = pairs.filter(|pair| pair[0].as_str().is_some_and(|known| known.eq_ignore_ascii_case(name)));
        found.next().and_then(|pair| pair[1].as_str()).map(str::to_owned)
    };
    let essence = |kind: Option<String>| kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_owned());
    let mine = |name: &str| {
        ours.headers()
            .get(name)
            .map(|value| value.to_str().unwrap_or_default().to_owned())
    };
    if essence(header("content-type")) != essence(mine("content-type")) {
        note("content-type".to_owned());
    }
    for name in ["location", "etag", "sap-message", "sap-messages"] {
        if header(name).is_some() != mine(name).is_some() && (200..300).contains(&status) {
            note(format!("header {name}"));
        }
    }
    let theirs: Value = answer["body"]
        .as_str()
        .and_then(|body| serde_json::from_str(body).ok())
        .unwrap_or(Value::Null);
    let our: Value = serde_json::from_slice(ours.body()).unwrap_or(Value::Null);
    let (theirs, our) = (forms(&theirs), forms(&our));
    for (path, form) in &theirs {
        match our.get(path) {
            Some(mine) if fits(form, mine) => {}
            Some(mine) => note(format!("{path} is {form}, mock {mine}")),
            // The mock has a handful of fields; envelopes it has whole.
            None if is_field(path) => {}
            None => note(format!("recorded {path}")),
        }
    }
    for path in our.keys().filter(|path| !theirs.contains_key(*path) && !is_field(path)) {
        note(format!("mock {path}"));
    }
    Ok(out)
}

/// Whether the last part of a path is a business field.
fn is_field(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or_default();
    last.starts_with(|c: char| c.is_ascii_uppercase()) && !path.starts_with("error") && !path.contains('@')
}

/// Digits alone are a number as text or a text.
fn fits(theirs: &str, ours: &str) -> bool {
    let open = |form: &str| matches!(form, "text" | "number as text");
    theirs == ours || (theirs == "digits" && open(ours)) || (open(theirs) && ours == "digits")
}

/// The form of every member, lists as their members together.
fn forms(value: &Value) -> BTreeMap<String, &'static str> {
    let mut out = BTreeMap::new();
    walk(value, String::new(), &mut out);
    out
}

fn walk(value: &Value, path: String, out: &mut BTreeMap<String, &'static str>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                walk(value, path, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                walk(item, path.clone(), out);
            }
        }
        // Null is a value of every form.
        Value::Null => {}
        Value::String(text) => {
            let number = |text: &str| {
                let digits = text.strip_prefix('-').unwrap_or(text);
                digits.contains('.') && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            };
            let form = match text.as_str() {
                text if text.starts_with("/Date(") && text.contains('+') => "moment of V2",
                text if text.starts_with("/Date(") => "day of V2",
                text if number(text) => "number as text",
                text if text.len() > 19 && text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T') => "moment",
                _ => "text",
            };
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            out.insert(path, if digits { "digits" } else { form });
        }
        Value::Number(_) => {
            out.insert(path, "number");
        }
        Value::Bool(_) => {
            out.insert(path, "flag");
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a test finds its fixtures")]
fn shared() -> Option<PathBuf> {
    if let Ok(named) = std::env::var("ATLAS_SHARED") {
        let folder = PathBuf::from(named);
        assert!(folder.is_dir(), "ATLAS_SHARED does not name a folder");
        return Some(folder);
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    beside.is_dir().then_some(beside)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(work)
}
