//! What each recorded refusal means, by hand from `sap-odata.md`.

use super::Situation;

/// One answer and its meaning.
pub(crate) struct Case {
    /// Folder and file.
    pub(crate) name: &'static str,
    /// What was tried.
    pub(crate) operation: &'static str,
    /// The status where the source names none.
    pub(crate) status: u16,
    /// Our code.
    pub(crate) code: &'static str,
    /// The server's code as it is kept.
    pub(crate) provider_code: &'static str,
    pub(crate) situation: Situation,
    /// Whether a 5xx proves that nothing was changed.
    pub(crate) proves: bool,
    /// `field=code`, in order.
    pub(crate) fields: &'static str,
    /// Whether there is something to show to people.
    pub(crate) speaks: bool,
}

const fn case(name: &'static str, operation: &'static str, code: &'static str, provider_code: &'static str) -> Case {
    Case {
        name,
        operation,
        status: 0,
        code,
        provider_code,
        situation: Situation::Other,
        proves: false,
        fields: "",
        speaks: true,
    }
}

impl Case {
    const fn says(mut self, situation: Situation) -> Self {
        self.situation = situation;
        self
    }

    const fn fields(mut self, fields: &'static str) -> Self {
        self.fields = fields;
        self
    }

    const fn proves(mut self) -> Self {
        self.proves = true;
        self
    }

    const fn silent(mut self) -> Self {
        self.speaks = false;
        self
    }

    const fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

use Situation::{DataForbidden, ServiceForbidden, ServiceMissing};

pub(crate) const TABLE: &[Case] = &[
    // CAP over its V2 adapter.
    case("cap-v2/batch_malformed", "sap.batch", "rejected", "HPE_INVALID_METHOD"),
    case(
        "cap-v2/create_error_bad_type",
        "sap.create",
        "rejected",
        "ASSERT_DATA_TYPE",
    )
    .fields("SoldToParty=ASSERT_DATA_TYPE"),
    case(
        "cap-v2/create_error_duplicate_key",
        "sap.create",
        "conflict",
        "SQLITE_CONSTRAINT_PRIMARYKEY",
    )
    .proves(),
    case("cap-v2/create_error_malformed_json", "sap.create", "rejected", "html").silent(),
    case("cap-v2/create_error_many", "sap.create", "rejected", "V1/313")
        .fields("SalesOrderType=V1/313 SoldToParty=VP/204 to_Item('0')/Material=V1/382 to_Item('1')/Material=V1/382"),
    case("cap-v2/create_error_single", "sap.create", "rejected", "VP/204").fields("SoldToParty=VP/204"),
    case(
        "cap-v2/create_error_too_long",
        "sap.create",
        "rejected",
        "ASSERT_DATA_TYPE",
    )
    .fields("SalesOrderType=ASSERT_DATA_TYPE"),
    case("cap-v2/create_error_unknown_property", "sap.create", "rejected", "400")
        .fields("API_SALES_ORDER_SRV.A_SalesOrder=400"),
    case("cap-v2/delete_gone", "sap.delete", "not_found", "404"),
    case("cap-v2/delete_refused", "sap.delete", "rejected", "V1/083"),
    case("cap-v2/error_filter_syntax", "sap.read", "rejected", "400"),
    case("cap-v2/error_forbidden_read", "sap.read", "permission_denied", "403").says(DataForbidden),
    case("cap-v2/error_forbidden_write", "sap.create", "permission_denied", "403").says(DataForbidden),
    case("cap-v2/error_method_not_allowed", "sap.delete", "unsupported", "405"),
    case("cap-v2/error_no_auth", "sap.read", "oauth.invalid_grant.revoked", ""),
    case("cap-v2/error_status_409", "sap.action", "locked", "ENQ/100"),
    case("cap-v2/error_status_423", "sap.action", "locked", "V1/042"),
    case("cap-v2/error_status_429", "sap.action", "throttled.account", "429"),
    case(
        "cap-v2/error_status_500",
        "sap.action",
        "transient",
        "/IWBEP/CX_MGW_TECH",
    ),
    case("cap-v2/error_status_503", "sap.action", "transient", "503"),
    case("cap-v2/error_unknown_entity_set", "sap.read", "not_found", "404"),
    case("cap-v2/error_unknown_expand", "sap.read", "rejected", "400"),
    case("cap-v2/error_unknown_key", "sap.get", "not_found", "404"),
    case("cap-v2/error_unknown_option", "sap.read", "rejected", "400"),
    case("cap-v2/error_unknown_property_filter", "sap.read", "rejected", "400"),
    case("cap-v2/error_unknown_service", "sap.read", "service_missing", "html")
        .says(ServiceMissing)
        .silent(),
    case(
        "cap-v2/error_wrong_password",
        "sap.read",
        "oauth.invalid_grant.revoked",
        "",
    ),
    case("cap-v2/function_import_error", "sap.action", "not_found", "V1/302"),
    case(
        "cap-v2/function_import_post_no_body",
        "sap.action",
        "not_found",
        "V1/302",
    ),
    case(
        "cap-v2/function_import_wrong_method",
        "sap.action",
        "unsupported",
        "405",
    ),
    case("cap-v2/update_if_match_stale", "sap.update", "conflict", "412"),
    case("cap-v2/update_locked", "sap.update", "locked", "V1/042"),
    case("cap-v2/update_unknown_key", "sap.update", "not_found", "404"),
    case("cap-v2/update_without_if_match", "sap.update", "conflict", "428"),
    // CAP, V4.
    case(
        "cap-v4/action_bound_release_conflict",
        "sap.action",
        "conflict",
        "ZATLAS/003",
    ),
    case("cap-v4/action_unknown_param", "sap.action", "rejected", "400").fields("Z_ATLAS_TYPES_SRV.postMany=400"),
    case("cap-v4/batch_json_duplicate_id", "sap.batch", "rejected", "400"),
    case("cap-v4/batch_json_malformed", "sap.batch", "rejected", "400"),
    case("cap-v4/batch_malformed", "sap.batch", "rejected", "HPE_INVALID_METHOD"),
    case("cap-v4/bearer_expired", "sap.bearer", "oauth.transient", "html").silent(),
    case(
        "cap-v4/create_error_bad_type",
        "sap.create",
        "rejected",
        "ASSERT_DATA_TYPE",
    )
    .fields("SoldToParty=ASSERT_DATA_TYPE"),
    case("cap-v4/create_error_content_type", "sap.create", "unsupported", "415"),
    case(
        "cap-v4/create_error_duplicate_key",
        "sap.create",
        "conflict",
        "SQLITE_CONSTRAINT_PRIMARYKEY",
    )
    .proves(),
    case("cap-v4/create_error_malformed_json", "sap.create", "rejected", "400"),
    case("cap-v4/create_error_many", "sap.create", "rejected", "V1/313")
        .fields("SalesOrderType=V1/313 SoldToParty=VP/204 _Item(0)/Product=V1/382 _Item(1)/Product=V1/382"),
    case("cap-v4/create_error_single", "sap.create", "rejected", "VP/204").fields("SoldToParty=VP/204"),
    case("cap-v4/create_error_unknown_property", "sap.create", "rejected", "400")
        .fields("CE_SALESORDER_0001.SalesOrder=400"),
    case("cap-v4/delete_gone", "sap.delete", "not_found", "404"),
    case(
        "cap-v4/delete_not_deletable",
        "sap.delete",
        "unsupported",
        "ENTITY_IS_NOT_CRUD",
    ),
    case("cap-v4/draft_activate_error", "sap.action", "rejected", "ZATLAS/001").fields("items=ZATLAS/001"),
    case("cap-v4/draft_direct_create_active", "sap.create", "unsupported", "501").proves(),
    case(
        "cap-v4/draft_edit_locked_by_other",
        "sap.action",
        "conflict",
        "DRAFT_ALREADY_EXISTS",
    ),
    case("cap-v4/draft_key_missing_isactive", "sap.get", "rejected", "400"),
    case("cap-v4/error_bearer_invalid", "sap.bearer", "oauth.transient", "html").silent(),
    case("cap-v4/error_filter_syntax", "sap.read", "rejected", "400"),
    case("cap-v4/error_forbidden_read", "sap.read", "permission_denied", "403").says(DataForbidden),
    case("cap-v4/error_forbidden_write", "sap.create", "permission_denied", "403").says(DataForbidden),
    case("cap-v4/error_long_url", "sap.read", "rejected", "")
        .fields("url=too_long")
        .silent(),
    case("cap-v4/error_method_not_allowed", "sap.delete", "unsupported", "405"),
    case("cap-v4/error_no_auth", "sap.read", "oauth.invalid_grant.revoked", ""),
    case("cap-v4/error_orderby_unknown", "sap.read", "rejected", "400"),
    case("cap-v4/error_status_409", "sap.action", "locked", "ENQ/100"),
    case("cap-v4/error_status_423", "sap.action", "locked", "V1/042"),
    case("cap-v4/error_status_429", "sap.action", "throttled.account", "429"),
    case(
        "cap-v4/error_status_500",
        "sap.action",
        "transient",
        "/IWBEP/CX_MGW_TECH",
    ),
    case("cap-v4/error_status_503", "sap.action", "transient", "503"),
    case("cap-v4/error_unknown_entity_set", "sap.read", "not_found", "404"),
    case("cap-v4/error_unknown_expand", "sap.read", "rejected", "400"),
    case("cap-v4/error_unknown_key", "sap.get", "not_found", "404"),
    case("cap-v4/error_unknown_property_filter", "sap.read", "rejected", "400"),
    case("cap-v4/error_unknown_property_select", "sap.read", "rejected", "400"),
    case("cap-v4/error_unknown_service", "sap.read", "service_missing", "html")
        .says(ServiceMissing)
        .silent(),
    case("cap-v4/error_unknown_system_option", "sap.read", "rejected", "400"),
    case(
        "cap-v4/error_wrong_password",
        "sap.read",
        "oauth.invalid_grant.revoked",
        "",
    ),
    case("cap-v4/metadata_head", "sap.token", "unsupported", "").silent(),
    case("cap-v4/update_if_match_stale", "sap.update", "conflict", "412"),
    case("cap-v4/update_locked", "sap.update", "locked", "V1/042"),
    case("cap-v4/update_unknown_key", "sap.update", "not_found", "404"),
    case("cap-v4/update_without_if_match", "sap.update", "conflict", "428"),
    // ABAP systems, as public texts quote them.
    case(
        "gateway-samples/c4c_error_in_sap_message_header",
        "sap.read",
        "permission_denied",
        "CM_DS_APPL_ERROR:048",
    )
    .says(ServiceForbidden),
    case(
        "gateway-samples/csrf_token_rejected",
        "sap.create",
        "permission_denied",
        "x-csrf-token:Required",
    )
    .says(DataForbidden)
    .silent(),
    // The code holds a blank: it decides, and is no code to keep.
    case(
        "gateway-samples/icf_node_inactive_xml",
        "sap.read",
        "service_missing",
        "",
    )
    .says(ServiceMissing),
    case(
        "gateway-samples/internal_error_inlinecount",
        "sap.read",
        "transient",
        "",
    ),
    case(
        "gateway-samples/v2_no_authorization_service",
        "sap.read",
        "permission_denied",
        "/IWFND/CM_CONSUMER/101",
    )
    .says(ServiceForbidden),
    case(
        "gateway-samples/v2_not_acceptable",
        "sap.metadata",
        "unsupported",
        "005056A509B11ED19BEB6513AA349DA5",
    )
    .silent(),
    case(
        "gateway-samples/v2_resource_not_found_segment",
        "sap.read",
        "schema_mismatch",
        "/IWFND/CM_MGW/051",
    ),
    case(
        "gateway-samples/v2_unknown_key_in_batch",
        "sap.get",
        "not_found",
        "/IWBEP/CM_MGW_RT/020",
    ),
    case("gateway-samples/v4_business_error", "sap.read", "rejected", "00/001").status(400),
    case(
        "gateway-samples/v4_provider_error",
        "sap.read",
        "transient",
        "/IWBEP/CM_V4S_RUN/000",
    )
    .status(500),
    case(
        "gateway-samples/v4_service_group_not_authorized",
        "sap.read",
        "permission_denied",
        "/IWBEP/CM_V4_COS/011",
    )
    .says(ServiceForbidden),
    case(
        "gateway-samples/v4_service_group_not_published",
        "sap.read",
        "service_missing",
        "/IWBEP/CM_V4_COS/014",
    )
    .says(ServiceMissing),
    // A server that is not from SAP.
    case("odatapy/error_duplicate_key", "sap.create", "conflict", "409"),
    case("odatapy/error_forbidden", "sap.create", "permission_denied", "403").says(DataForbidden),
    case(
        "odatapy/error_unauthorized",
        "sap.read",
        "oauth.invalid_grant.revoked",
        "",
    ),
    case("odatapy/error_unknown_key", "sap.get", "not_found", "404"),
    case("odatapy/error_unknown_property", "sap.read", "rejected", "400"),
    case("odatapy/error_unknown_set", "sap.read", "not_found", "404"),
    // The application router: same sign for a missing token, whatever the body says.
    case(
        "sap-approuter/batch_without_token",
        "sap.batch",
        "permission_denied",
        "x-csrf-token:Required",
    )
    .says(DataForbidden)
    .silent(),
    case("sap-approuter/no_auth", "sap.read", "oauth.invalid_grant.revoked", ""),
    case(
        "sap-approuter/no_auth_ajax",
        "sap.read",
        "oauth.invalid_grant.revoked",
        "",
    ),
    case(
        "sap-approuter/post_with_token_without_cookie",
        "sap.create",
        "permission_denied",
        "x-csrf-token:Required",
    )
    .says(DataForbidden)
    .silent(),
    case(
        "sap-approuter/post_with_wrong_token",
        "sap.create",
        "permission_denied",
        "x-csrf-token:Required",
    )
    .says(DataForbidden)
    .silent(),
    case(
        "sap-approuter/post_without_token",
        "sap.create",
        "permission_denied",
        "x-csrf-token:Required",
    )
    .says(DataForbidden)
    .silent(),
    case("sap-approuter/unknown_route", "sap.read", "service_missing", "").says(ServiceMissing),
    case(
        "sap-approuter/v4_post_without_token",
        "sap.create",
        "permission_denied",
        "x-csrf-token:Required",
    )
    .says(DataForbidden)
    .silent(),
    case(
        "sap-approuter/wrong_password",
        "sap.read",
        "oauth.invalid_grant.revoked",
        "",
    ),
    // SAP's mock server for user interfaces: empty bodies, and a code outside any envelope.
    case("sap-fe-mockserver/v2_unknown_key", "sap.get", "not_found", "").silent(),
    case("sap-fe-mockserver/v4_patch", "sap.update", "conflict", "412001"),
    case("sap-fe-mockserver/v4_patch_stale", "sap.update", "conflict", "412001"),
    case("sap-fe-mockserver/v4_unknown_key", "sap.get", "not_found", "").silent(),
    case("sap-fe-mockserver/v4_unknown_set", "sap.read", "transient", ""),
];

/// Refusals of a token endpoint, which the core's own table reads.
pub(crate) const TOKENS: &[(&str, &str)] = &[
    ("oauth-token/bad_client", "oauth.client.credentials"),
    ("oauth-token/password_wrong", "oauth.other"),
    ("oauth-token/unsupported_grant", "oauth.client.request"),
];
