//! Error bodies.

use std::path::Path;

use atlas_connectors::error::Severity;
use atlas_connectors_erp::odata::{Envelope, ODataFailure, header_messages};

use super::{Case, case, recorded};

/// Sample, envelope, code.
const SAMPLES: [(&str, Envelope, Option<&str>); 12] = [
    ("c4c_error_in_sap_message_header", Envelope::Empty, Some("ODATA_ERROR")),
    ("csrf_token_rejected", Envelope::Text, None),
    ("icf_node_inactive_xml", Envelope::Xml, Some("HTTP/404/E/Not Found")),
    ("internal_error_inlinecount", Envelope::Text, None),
    (
        "v2_no_authorization_service",
        Envelope::V2,
        Some("/IWFND/CM_CONSUMER/101"),
    ),
    (
        "v2_not_acceptable",
        Envelope::V2,
        Some("005056A509B11ED19BEB6513AA349DA5"),
    ),
    ("v2_resource_not_found_segment", Envelope::V2, Some("/IWFND/CM_MGW/051")),
    ("v2_unknown_key_in_batch", Envelope::V2, Some("/IWBEP/CM_MGW_RT/020")),
    ("v4_business_error", Envelope::V4, Some("00/001")),
    ("v4_provider_error", Envelope::V4, Some("/IWBEP/CM_V4S_RUN/000")),
    (
        "v4_service_group_not_authorized",
        Envelope::V4,
        Some("/IWBEP/CM_V4_COS/011"),
    ),
    (
        "v4_service_group_not_published",
        Envelope::V4,
        Some("/IWBEP/CM_V4_COS/014"),
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut out: Vec<Case> = SAMPLES
        .into_iter()
        .map(|(name, envelope, code)| {
            case(format!("error::{name}"), move |folder| {
                let answer = recorded::read(&folder.join("sap/gateway-samples"), name);
                let failure = ODataFailure::of(&answer.headers, &answer.body);
                assert_eq!((failure.envelope, failure.code.as_deref()), (envelope, code));
            })
        })
        .collect();
    out.push(case("error::details", details));
    out.push(case("error::every_recorded_refusal", every_refusal));
    out.push(case("error::business_central", central));
    out.push(case("error::messages_of_successes", successes));
    out
}

fn details(folder: &Path) {
    let sap = folder.join("sap");
    let read = |name: &str| {
        let answer = recorded::read(&sap, name);
        ODataFailure::of(&answer.headers, &answer.body)
    };
    let gateway = read("gateway-samples/v2_unknown_key_in_batch");
    assert!(gateway.details.is_empty(), "the only detail repeats the message");
    assert_eq!(
        gateway.transaction_id.as_deref(),
        Some("D25C6A8CF4D30020E0067DD0610AFCCA")
    );
    assert_eq!(gateway.service_id.as_deref(), Some("API_BUSINESS_PARTNER"));
    let business = read("gateway-samples/v4_business_error");
    assert_eq!(
        business.transaction_id.as_deref(),
        Some("F14022DB810C0000E00693874FE409C6")
    );
    assert!(read("gateway-samples/c4c_error_in_sap_message_header").has_code("CM_DS_APPL_ERROR:048"));
    for (name, targets) in [
        (
            "cap-v2/create_error_many",
            [
                "SalesOrderType",
                "SoldToParty",
                "to_Item('0')/Material",
                "to_Item('1')/Material",
            ],
        ),
        (
            "cap-v4/create_error_many",
            ["SalesOrderType", "SoldToParty", "_Item(0)/Product", "_Item(1)/Product"],
        ),
    ] {
        let many = read(name);
        assert_eq!(
            many.fields()
                .iter()
                .map(|fault| fault.field.as_str())
                .collect::<Vec<_>>(),
            targets
        );
        assert_eq!(
            many.codes().collect::<Vec<_>>(),
            ["MULTIPLE_ERRORS", "V1/313", "VP/204", "V1/382", "V1/382"]
        );
        assert_eq!(many.messages().len(), 5);
    }
}

/// Whatever a server answered with a status of 400 and more, its JSON gives a code or a message.
fn every_refusal(folder: &Path) {
    let mut seen = 0;
    for server in [
        "cap-v2",
        "cap-v4",
        "odatapy",
        "sap-approuter",
        "sap-fe-mockserver",
        "oauth-token",
    ] {
        for entry in std::fs::read_dir(folder.join("sap").join(server)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let Some(name) = name
                .strip_suffix(".json")
                .filter(|name| !name.ends_with(".body") && !name.contains("metadata"))
            else {
                continue;
            };
            let answer = recorded::read(&folder.join("sap").join(server), name);
            if answer.status.is_none_or(|status| status < 400) {
                continue;
            }
            seen += 1;
            let failure = ODataFailure::of(&answer.headers, &answer.body);
            let json = answer.content_type().contains("json") && !answer.body.is_empty();
            if json {
                assert!(failure.code.is_some() || failure.message.is_some(), "{server}/{name}");
            }
            let html = answer.content_type().contains("html") && !answer.body.is_empty();
            assert_eq!(failure.envelope == Envelope::Html, html, "{server}/{name}");
        }
    }
    assert!(seen > 90, "{seen} refusals");
}

fn central(folder: &Path) {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.join("bc")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".json").filter(|name| name.starts_with("error-")) else {
            continue;
        };
        let answer = recorded::read(&folder.join("bc"), name);
        let failure = ODataFailure::of(&answer.headers, &answer.body);
        assert_eq!(failure.envelope, Envelope::V4, "{name}");
        assert!(failure.code.is_some() && failure.message.is_some(), "{name}");
        assert!(!format!("{failure:?}").contains("JACKSBORO"), "no value in a log");
        seen += 1;
    }
    assert!(seen >= 18, "{seen} errors");
}

fn successes(folder: &Path) {
    let warned = recorded::read(&folder.join("sap"), "cap-v2/create_warning");
    let messages = header_messages(&warned.headers);
    assert_eq!(messages.len(), 1);
    assert_eq!(
        (messages[0].severity, messages[0].text.reveal()),
        (Severity::Warning, "The order has no items")
    );
    for name in ["cap-v2/messages_header", "cap-v4/action_messages"] {
        let answer = recorded::read(&folder.join("sap"), name);
        let severities: Vec<_> = header_messages(&answer.headers)
            .iter()
            .map(|message| message.severity)
            .collect();
        assert_eq!(severities, [Severity::Warning, Severity::Info], "{name}");
    }
}
