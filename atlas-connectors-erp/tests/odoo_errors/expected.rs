//! What each recorded error means, written from `odoo.md`, section 4 (the row is named above each block).

/// What is expected of a recorded answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    /// An error of this code; nothing happened, and the same call gives the same answer.
    Code(&'static str),
    /// The same, naming this object, field, service or setting.
    Naming(&'static str, &'static str),
    /// An error that something else than Odoo's application wrote: after an effect it proves nothing.
    Unproven(&'static str),
    /// A login that answers `false`.
    NotAUser,
    /// The connection closed without an answer.
    NoAnswer,
}

use Expected::{Code, Naming, NoAnswer, NotAUser, Unproven};

const REFUSED: Expected = Code("oauth.invalid_grant.revoked");
const REJECTED: Expected = Code("rejected");
const NO_ODOO_THERE: Expected = Naming("invalid", "address");
const WRONG_DATABASE: Expected = Naming("invalid", "database");

/// By case; a star stands for JSON-RPC and JSON-2, a version in front limits it to one.
pub(crate) const EXPECTED: &[(&str, Expected)] = &[
    // Wrong secret at login: result false.
    ("jsonrpc_login_2fa_user_password", NotAUser),
    ("jsonrpc_login_archived_user_key", NotAUser),
    ("jsonrpc_login_case_insensitive", NotAUser),
    ("jsonrpc_login_expired_key", NotAUser),
    ("jsonrpc_login_revoked_key", NotAUser),
    ("jsonrpc_login_scoped_key", NotAUser),
    ("jsonrpc_login_unknown_user", NotAUser),
    ("jsonrpc_login_wrong_password", NotAUser),
    // Wrong, revoked or expired secret on a call.
    ("jsonrpc_object_2fa_password", REFUSED),
    ("jsonrpc_object_archived_user", REFUSED),
    ("jsonrpc_object_empty_password", REFUSED),
    ("jsonrpc_object_revoked_key", REFUSED),
    ("jsonrpc_object_wrong_password", REFUSED),
    ("jsonrpc_object_wrong_uid", REFUSED),
    ("json2_archived_user", REFUSED),
    ("json2_bad_key", REFUSED),
    ("json2_basic_auth", REFUSED),
    ("json2_cookie_only", REFUSED),
    ("json2_expired_key", REFUSED),
    ("json2_no_auth", REFUSED),
    ("json2_other_db", REFUSED),
    ("json2_password_as_bearer", REFUSED),
    ("json2_revoked_key", REFUSED),
    ("json2_scoped_key", REFUSED),
    ("19.0/monodb_json2_bad_key", REFUSED),
    ("monodb_db_list", REFUSED),
    // A uid that no longer exists.
    ("jsonrpc_object_missing_uid", Code("oauth.invalid_grant.account")),
    // Wrong database.
    ("jsonrpc_login_wrong_db", WRONG_DATABASE),
    ("jsonrpc_object_wrong_db", WRONG_DATABASE),
    ("monodb_login_wrong_db", WRONG_DATABASE),
    ("json2_filtered_db", WRONG_DATABASE),
    ("json2_no_db_header", WRONG_DATABASE),
    ("json2_wrong_db", WRONG_DATABASE),
    ("json2_options", WRONG_DATABASE),
    ("19.0/http_unknown_path", WRONG_DATABASE),
    ("19.0/jsonrpc_unknown_path_json", WRONG_DATABASE),
    ("19.0/monodb_json2_wrong_db_header", WRONG_DATABASE),
    // Session missing.
    ("json2_call_kw_bearer", REFUSED),
    ("monodb_call_kw_bad_cookie", REFUSED),
    ("monodb_call_kw_no_cookie", REFUSED),
    // No right on the model.
    ("*acl_denied_count", Naming("permission_denied", "account.move")),
    ("*acl_denied_create", Naming("permission_denied", "sale.order")),
    ("*acl_denied_read", Naming("permission_denied", "account.move")),
    ("*acl_denied_write", Naming("permission_denied", "res.partner")),
    ("*acl_no_rule_model", Naming("permission_denied", "x_atlas_noacl")),
    ("*ir_model_as_bot", Naming("permission_denied", "ir.model")),
    ("*ir_model_as_limited", Naming("permission_denied", "ir.model")),
    ("*xmlid_create_bot", Naming("permission_denied", "ir.model.data")),
    ("*xmlid_lookup_bot", Naming("permission_denied", "ir.model.data")),
    ("json2_abstract_model", Naming("permission_denied", "mail.thread")),
    ("json2_doc_denied", Code("permission_denied")),
    ("json2_lang_error", Naming("permission_denied", "account.move")),
    ("*message_post_denied", Code("permission_denied")),
    // Record rule, other company.
    ("*company_other_read_bot", Naming("permission_denied", "sale.order")),
    ("*company_other_read_ctx1", Naming("permission_denied", "sale.order")),
    ("*rule_denied_read", Naming("permission_denied", "sale.order")),
    ("*rule_denied_write", Naming("permission_denied", "sale.order")),
    ("*rule_read_mixed", Naming("permission_denied", "sale.order")),
    // Field limited to groups.
    ("*field_groups_denied_read", Naming("permission_denied", "res.partner")),
    // Company id not allowed in the context.
    ("*context_company_denied", Naming("permission_denied", "res.company")),
    ("*context_company_missing", Naming("permission_denied", "res.company")),
    // Private method.
    ("*method_private", Code("permission_denied")),
    ("19.0/jsonrpc_exists", Code("permission_denied")),
    ("json2_exists", Code("permission_denied")),
    // Cookie of another user.
    ("json2_cookie_of_other_user", Code("permission_denied")),
    // Model not installed.
    ("*model_missing", Naming("service_missing", "mrp.production")),
    // Method missing.
    ("*method_missing", Code("unsupported")),
    ("18.0/jsonrpc_formatted_read_group", Code("unsupported")),
    ("json2_generate_key", Code("unsupported")),
    // Unknown argument.
    ("*method_bad_kwarg", Naming("rejected", "nosuch")),
    ("18.0/jsonrpc_default_get", Naming("rejected", "fields_list")),
    ("jsonrpc_method_too_many_args", REJECTED),
    ("jsonrpc_missing_params", REJECTED),
    ("json2_unknown_arg", Naming("rejected", "bogus")),
    ("json2_missing_arg", Naming("rejected", "vals")),
    ("json2_positional_name", Naming("rejected", "vals_list")),
    ("json2_empty_body", Naming("rejected", "domain")),
    ("json2_null_body", Naming("rejected", "domain")),
    ("json2_array_body", Naming("rejected", "domain")),
    ("json2_ids_on_model_method", REJECTED),
    // Record missing (write, unlink, action).
    ("*action_cancel_missing_id", Code("not_found")),
    ("*bad_many2one", Code("not_found")),
    ("*unlink_missing", Code("not_found")),
    ("*write_missing", Code("not_found")),
    ("json2_context_in_error", Code("not_found")),
    // Unknown field.
    ("*field_missing_create", Naming("schema_mismatch", "x_studio_gone")),
    (
        "*field_missing_domain",
        Naming("schema_mismatch", "sale.order.x_studio_gone"),
    ),
    ("*field_missing_order", Naming("schema_mismatch", "x_studio_gone")),
    ("*field_missing_read", Naming("schema_mismatch", "x_studio_gone")),
    ("*field_missing_write", Naming("schema_mismatch", "x_studio_gone")),
    ("*read_last_update", Naming("schema_mismatch", "__last_update")),
    // A KeyError with a bare name is what 19 says of an unknown field; a service that is not there says the same.
    ("jsonrpc_unknown_service", Code("schema_mismatch")),
    // Bad value, bad date, bad domain, singleton.
    ("*bad_date_micro", REJECTED),
    ("*bad_date_value", REJECTED),
    ("*bad_domain_operator", REJECTED),
    ("*bad_domain_prefix", REJECTED),
    ("*bad_domain_shape", REJECTED),
    ("*bad_domain_string", REJECTED),
    ("*bad_type_value", REJECTED),
    ("*null_char_char", REJECTED),
    ("*selection_bad_value", Naming("rejected", "x_studio_stage")),
    ("*singleton_error", REJECTED),
    ("*singleton_error_zero", REJECTED),
    ("jsonrpc_create_by_keyword", REJECTED),
    ("jsonrpc_unknown_common_method", REJECTED),
    ("18.0/jsonrpc_many2one_pair_written_back", REJECTED),
    // Constraint, required, unique, foreign key.
    ("*apikey_description_too_long", REJECTED),
    ("*fk_violation", REJECTED),
    ("*many2one_fk_violation", REJECTED),
    (
        "19.0/jsonrpc_many2one_pair_written_back",
        Naming("rejected", "partner_id"),
    ),
    ("json2_many2one_pair_written_back", Naming("rejected", "partner_id")),
    ("*missing_required", Naming("rejected", "partner_id")),
    ("*missing_required_country", Naming("rejected", "name")),
    ("*unique_violation", REJECTED),
    ("*validation_error", REJECTED),
    ("*xmlid_create_duplicate", REJECTED),
    // Business rule.
    ("*action_confirm_again", REJECTED),
    ("*context_lang_missing", REJECTED),
    ("*order_injection", REJECTED),
    ("*unlink_confirmed_so", REJECTED),
    ("*user_error_text", REJECTED),
    ("jsonrpc_apikey_make_key", REJECTED),
    // SQL type error.
    ("*ids_bad_type", REJECTED),
    ("*int_overflow", REJECTED),
    ("*limit_bad_type", REJECTED),
    ("*limit_negative", REJECTED),
    ("*offset_negative", REJECTED),
    // Body above 128 MiB.
    ("*oversize", Naming("rejected", "body")),
    // Malformed JSON.
    ("jsonrpc_malformed_json", REJECTED),
    ("jsonrpc_array_body", REJECTED),
    ("json2_malformed", REJECTED),
    // Worker killed by a limit.
    ("*limit_time_cpu", NoAnswer),
    ("*limit_time_real", NoAnswer),
    // Notes, order of tests: 404 HTML = not an Odoo with this interface; 415 = our header; 303 = not a JSON-2 server.
    ("jsonrpc_get", Code("rejected")),
    ("jsonrpc_wrong_content_type", Code("rejected")),
    ("json2_no_content_type", Naming("rejected", "content-type")),
    ("json2_text_plain", Naming("rejected", "content-type")),
    ("18.0/jsonrpc_unknown_path_json", NO_ODOO_THERE),
    ("18.0/http_json_version", NO_ODOO_THERE),
    ("18.0/http_unknown_path", NO_ODOO_THERE),
    ("18.0/http_web_version", NO_ODOO_THERE),
    ("18.0/http_web_version_with_db_header", NO_ODOO_THERE),
    ("monodb_unknown_path", NO_ODOO_THERE),
    ("monodb_unknown_path_json", NO_ODOO_THERE),
    ("18.0/monodb_web_version", NO_ODOO_THERE),
    ("monodb_webhook_in_unknown", NO_ODOO_THERE),
    ("json2_get", NO_ODOO_THERE),
    ("json2_head", NO_ODOO_THERE),
    ("json2_short_path", NO_ODOO_THERE),
    ("json2_web_content_bearer", NO_ODOO_THERE),
    ("18.0/monodb_json2_bad_key", Unproven("egress.redirect")),
    ("18.0/monodb_json2_ok", Unproven("egress.redirect")),
    ("18.0/monodb_json2_wrong_db_header", Unproven("egress.redirect")),
    ("monodb_root_redirect", Unproven("egress.redirect")),
    // A 500 that names no class is nobody's word that it was rolled back.
    ("monodb_webhook_in_bad_record", Unproven("transient")),
    ("monodb_webhook_in_malformed", Unproven("transient")),
];
