use super::*;

fn read(body: &str) -> ODataFailure {
    ODataFailure::read(None, body.as_bytes())
}

fn said(failure: &ODataFailure) -> Vec<&str> {
    let first = failure.message.iter().map(ProviderText::reveal);
    first
        .chain(failure.details.iter().map(|detail| detail.message.reveal()))
        .collect()
}

/// Recorded: CAP V2 `create_error_many`, without its last entries.
#[test]
fn v2_with_the_first_message_repeated() {
    let failure = read(
        r##"{"error":{"message":{"lang":"en","value":"Multiple errors occurred, see details below."},"code":"MULTIPLE_ERRORS","severity":"error","target":"/#TRANSIENT#","innererror":{"errordetails":[{"message":{"lang":"en","value":"Multiple errors occurred, see details below."},"code":"MULTIPLE_ERRORS","severity":"error","target":"/#TRANSIENT#"},{"code":"V1/313","message":"Sales document type XX is not defined","target":"SalesOrderType","severity":"error"},{"code":"V1/382","message":"The material NOPE1 is not defined for sales org. 1710","target":"to_Item('0')/Material","severity":"error"}]}}}"##,
    );
    assert_eq!(failure.envelope, Envelope::V2);
    assert_eq!(failure.code.as_deref(), Some("MULTIPLE_ERRORS"));
    assert_eq!(failure.details.len(), 2);
    assert!(failure.has_code("V1/382"));
    let fields: Vec<_> = failure
        .fields()
        .into_iter()
        .map(|fault| (fault.field, fault.code))
        .collect();
    let expected = [("SalesOrderType", "V1/313"), ("to_Item('0')/Material", "V1/382")];
    assert_eq!(
        fields,
        expected.map(|(field, code)| (field.to_owned(), code.to_owned()))
    );
    assert_eq!(failure.messages().len(), 3);
}

/// In the shape of gateway bodies: the first message comes again under a class name, warnings stand beside it.
#[test]
fn a_gateway_repeats_itself_and_adds_warnings() {
    let failure = read(
        r#"{"error":{"code":"V1/313","message":{"lang":"en","value":"Not defined"},"innererror":{"application":{"service_id":"API_X"},"transactionid":"D25C","timestamp":"","errordetails":[{"ContentID":"7","code":"/IWBEP/CX_MGW_BUSI_EXCEPTION","message":"Not defined","propertyref":"SalesOrderType","severity":"error","target":""},{"code":"V1/555","message":"No items","severity":"warning","target":""},{"code":"V1/555","message":"No items","severity":"warning","target":""}]}}}"#,
    );
    assert_eq!(said(&failure), ["Not defined", "No items"]);
    assert_eq!(failure.target.as_deref(), Some("SalesOrderType"));
    assert_eq!(failure.content_id.as_deref(), Some("7"));
    assert_eq!(failure.transaction_id.as_deref(), Some("D25C"));
    assert_eq!(failure.service_id.as_deref(), Some("API_X"));
    assert_eq!(failure.errors().count(), 0);
    assert!(!failure.has_code("V1/555"), "a warning decides nothing");
    let severities: Vec<_> = failure.messages().iter().map(|message| message.severity).collect();
    assert_eq!(severities, [Severity::Error, Severity::Warning]);
}

#[test]
fn v4_with_numeric_severities() {
    let failure = read(
        r#"{"error":{"code":"00/001","message":"Not found","target":"Contract","details":[{"code":"A/1","message":"Look","@Common.numericSeverity":3},{"code":"A/2","message":"No","target":"_Item(0)/Product","@SAP__common.numericSeverity":4,"@Core.ContentID":"2"}],"innererror":{"ErrorDetails":{"@SAP__common.Application":{"ServiceId":"ZSB"},"@SAP__common.TransactionId":"F140"}}}}"#,
    );
    assert_eq!(failure.envelope, Envelope::V4);
    assert_eq!(
        (failure.transaction_id.as_deref(), failure.service_id.as_deref()),
        (Some("F140"), Some("ZSB"))
    );
    assert_eq!(failure.codes().collect::<Vec<_>>(), ["00/001", "A/2"]);
    assert_eq!(
        failure.details.last().and_then(|detail| detail.content_id.as_deref()),
        Some("2")
    );
}

#[test]
fn equal_texts_about_different_items_are_both_kept() {
    let failure = read(
        r#"{"error":{"code":"M","message":"Several","details":[{"code":"A","message":"Missing","target":"_Item(0)/Product"},{"code":"A","message":"Missing","target":"_Item(1)/Product"}]}}"#,
    );
    assert_eq!(failure.details.len(), 2);
}

#[test]
fn xml_of_a_gateway_and_of_the_web_server() {
    let failure = read(
        r#"<?xml version="1.0"?><error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><code>/IWFND/MED/170</code><message xml:lang="en">No service for &apos;X&apos; &#38; more</message><innererror><transactionid>ABC</transactionid><errordetails><errordetail><code>C/1</code><message><![CDATA[a <b>]]></message><severity>warning</severity><propertyref>Field</propertyref></errordetail></errordetails></innererror></error>"#,
    );
    assert_eq!(failure.envelope, Envelope::Xml);
    assert_eq!(failure.code.as_deref(), Some("/IWFND/MED/170"));
    assert_eq!(said(&failure), ["No service for 'X' & more", "a <b>"]);
    assert_eq!(failure.transaction_id.as_deref(), Some("ABC"));
    assert_eq!(failure.details[0].severity, Severity::Warning);

    let icf =
        read("<error>\n<code>HTTP/404/E/Not Found</code>\n<message> Service x is not active </message>\n</error>\n");
    assert_eq!(icf.code.as_deref(), Some("HTTP/404/E/Not Found"));
    assert!(format!("{icf:?}").contains("(text)"), "no free text in a log");
}

#[test]
fn pages_texts_and_nothing() {
    let page = read("<!DOCTYPE html>\n<html><body><pre>SyntaxError at /srv/app</pre></body></html>");
    assert_eq!((page.envelope, page.code, page.message), (Envelope::Html, None, None));
    let text = ODataFailure::read(Some("text/plain"), b"CSRF token validation failed");
    assert_eq!(
        (text.envelope, said(&text)),
        (Envelope::Text, vec!["CSRF token validation failed"])
    );
    assert_eq!(read("").envelope, Envelope::Empty);
    assert_eq!(read("{}").envelope, Envelope::Text);
    assert_eq!(read("{\"a\":1} x").envelope, Envelope::Text);
    assert_eq!(read("{\"error\":{\"message\":7}}").code, None);
    assert_eq!(
        read("{\"error\":\"invalid_client\"}").code.as_deref(),
        Some("invalid_client")
    );
}

#[test]
fn a_body_that_ends_early_still_gives_its_code() {
    let failure =
        read(r#"{"error":{"code":"/IWFND/CM_MGW/051","message":{"lang":"en","value":"Resource not found for the"#);
    assert_eq!(failure.code.as_deref(), Some("/IWFND/CM_MGW/051"));
    assert_eq!(
        (failure.envelope, failure.cut, failure.message),
        (Envelope::V2, true, None)
    );
}

#[test]
fn the_header_speaks_where_the_body_does_not() {
    let mut headers = HeaderMap::new();
    let value = r#"{"code":"ODATA_ERROR","message":"Error occurred during processing","severity":"error","target":"","details":[{"code":"CM_DS_APPL_ERROR:048","message":"Unauthorized: not assigned","target":"","severity":"error"}]}"#;
    headers.insert("sap-message", http::HeaderValue::from_static(value));
    let failure = ODataFailure::of(&headers, b"");
    assert!(failure.has_code("CM_DS_APPL_ERROR:048"));
    assert_eq!(failure.code.as_deref(), Some("ODATA_ERROR"));
}

#[test]
fn nothing_of_the_text_is_in_debug() {
    let failure = read(
        r#"{"error":{"code":"A/1","message":"secret-a","details":[{"code":"secret b","message":"secret-c","target":"secret-d"}]}}"#,
    );
    assert!(!format!("{failure:?}").contains("secret"));
}
