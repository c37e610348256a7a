//! The models of the mock: those of sales, purchases and invoices, as far as the recordings show them.

use crate::mock::odoo::schema::{FieldDef, ModelDef};

const fn f(
    name: &'static str,
    kind: &'static str,
    relation: &'static str,
    flags: &'static str,
    label: &'static str,
) -> FieldDef {
    FieldDef::new(name, kind, relation, flags, label)
}

pub(super) fn selection(name: &str) -> &'static [(&'static str, &'static str)] {
    match name {
        "sale" => &[
            ("draft", "Quotation"),
            ("sent", "Quotation Sent"),
            ("sale", "Sales Order"),
            ("cancel", "Cancelled"),
        ],
        "purchase" => &[
            ("draft", "RFQ"),
            ("sent", "RFQ Sent"),
            ("to approve", "To Approve"),
            ("purchase", "Purchase Order"),
            ("done", "Locked"),
            ("cancel", "Cancelled"),
        ],
        "move" => &[("draft", "Draft"), ("posted", "Posted"), ("cancel", "Cancelled")],
        "move_type" => &[
            ("entry", "Journal Entry"),
            ("out_invoice", "Customer Invoice"),
            ("out_refund", "Customer Credit Note"),
            ("in_invoice", "Vendor Bill"),
            ("in_refund", "Vendor Credit Note"),
        ],
        "payment" => &[
            ("not_paid", "Not Paid"),
            ("in_payment", "In Payment"),
            ("paid", "Paid"),
            ("partial", "Partially Paid"),
        ],
        "stage" => &[("a", "Stage A"), ("b", "Stage B")],
        "invoice_status" => &[
            ("to invoice", "To Invoice"),
            ("invoiced", "Fully Invoiced"),
            ("no", "Nothing to Invoice"),
        ],
        "product" => &[("consu", "Goods"), ("service", "Service"), ("combo", "Combo")],
        "module" => &[("uninstalled", "Not Installed"), ("installed", "Installed")],
        "company" => &[("person", "Individual"), ("company", "Company")],
        _ => &[],
    }
}

const PARTNER: &[FieldDef] = &[
    f("name", "char", "", "", "Name"),
    f("email", "char", "", "", "Email"),
    f("phone", "char", "", "", "Phone"),
    f("ref", "char", "", "", "Reference"),
    f("vat", "char", "", "", "Tax ID"),
    f("street", "char", "", "", "Street"),
    f("zip", "char", "", "", "Zip"),
    f("city", "char", "", "", "City"),
    f("country_id", "many2one", "res.country", "", "Country"),
    f("parent_id", "many2one", "res.partner", "", "Related Company"),
    f("child_ids", "one2many", "res.partner/parent_id", "", "Contact"),
    f("is_company", "boolean", "", "", "Is a Company"),
    f("company_type", "selection", "company", "n", "Company Type"),
    f("company_id", "many2one", "res.company", "", "Company"),
    f("customer_rank", "integer", "", "", "Customer Rank"),
    f("supplier_rank", "integer", "", "", "Supplier Rank"),
    f("category_id", "many2many", "res.partner.category", "", "Tags"),
    f("comment", "html", "", "", "Notes"),
    f("color", "integer", "", "", "Color Index"),
    f("active", "boolean", "", "", "Active"),
    f("credit", "monetary", "", "ong", "Total Receivable"),
    f("credit_limit", "float", "", "", "Credit Limit"),
    f("partner_latitude", "float", "", "", "Geo Latitude"),
    f("currency_id", "many2one", "res.currency", "on", "Currency"),
    f("image_128", "binary", "", "", "Image 128"),
];

const TEMPLATE: &[FieldDef] = &[
    f("name", "char", "", "r", "Name"),
    f("default_code", "char", "", "", "Internal Reference"),
    f("barcode", "char", "", "", "Barcode"),
    f("type", "selection", "product", "r", "Product Type"),
    f("list_price", "float", "", "d", "Sales Price"),
    f("standard_price", "float", "", "d", "Cost"),
    f("uom_id", "many2one", "uom.uom", "", "Unit"),
    f("currency_id", "many2one", "res.currency", "on", "Currency"),
    f("company_id", "many2one", "res.company", "", "Company"),
    f("sale_ok", "boolean", "", "", "Sales"),
    f("purchase_ok", "boolean", "", "", "Purchase"),
    f("active", "boolean", "", "", "Active"),
    f(
        "product_tmpl_id",
        "many2one",
        "product.template",
        "",
        "Product Template",
    ),
];

const SALE: &[FieldDef] = &[
    f("name", "char", "", "r", "Order Reference"),
    f("state", "selection", "sale", "o", "Status"),
    f("locked", "boolean", "", "", "Locked"),
    f("partner_id", "many2one", "res.partner", "r", "Customer"),
    f("company_id", "many2one", "res.company", "r", "Company"),
    f("currency_id", "many2one", "res.currency", "o", "Currency"),
    f("client_order_ref", "char", "", "", "Customer Reference"),
    f("origin", "char", "", "", "Source Document"),
    f("date_order", "datetime", "", "r", "Order Date"),
    f("commitment_date", "datetime", "", "", "Delivery Date"),
    f("validity_date", "date", "", "", "Expiration"),
    f("user_id", "many2one", "res.users", "", "Salesperson"),
    f("order_line", "one2many", "sale.order.line/order_id", "", "Order Lines"),
    f("amount_untaxed", "monetary", "", "o", "Untaxed Amount"),
    f("amount_tax", "monetary", "", "o", "Taxes"),
    f("amount_total", "monetary", "", "o", "Total"),
    f("note", "html", "", "", "Terms and conditions"),
    f("tag_ids", "many2many", "crm.tag", "", "Tags"),
    f("access_token", "char", "", "", "Security Token"),
    f("signature", "binary", "", "", "Signature"),
    f("invoice_status", "selection", "invoice_status", "o", "Invoice Status"),
    f("picking_ids", "many2many", "stock.picking", "", "Transfers"),
    f("x_atlas_ref", "char", "", "m", "Atlas Ref"),
    f("x_studio_stage", "selection", "stage", "m", "Stage"),
    f("x_atlas_amount", "monetary", "", "m", "Atlas Amount"),
];

const SALE_LINE: &[FieldDef] = &[
    f("order_id", "many2one", "sale.order", "r", "Order Reference"),
    f("sequence", "integer", "", "", "Sequence"),
    f("name", "text", "", "r", "Description"),
    f("product_id", "many2one", "product.product", "", "Product"),
    f("product_uom_qty", "float", "", "rd", "Quantity"),
    f("price_unit", "float", "", "rD", "Unit Price"),
    f("discount", "float", "", "d", "Discount (%)"),
    f("price_subtotal", "monetary", "", "o", "Subtotal"),
    f("price_tax", "float", "", "o", "Total Tax"),
    f("price_total", "monetary", "", "o", "Total"),
    f("qty_delivered", "float", "", "d", "Delivery Quantity"),
    f("tax_id", "many2many", "account.tax", "a", "Taxes"),
    f("tax_ids", "many2many", "account.tax", "z", "Taxes"),
    f("currency_id", "many2one", "res.currency", "o", "Currency"),
    f("company_id", "many2one", "res.company", "o", "Company"),
];

const PURCHASE: &[FieldDef] = &[
    f("name", "char", "", "r", "Order Reference"),
    f("state", "selection", "purchase", "o", "Status"),
    f("partner_id", "many2one", "res.partner", "r", "Vendor"),
    f("partner_ref", "char", "", "", "Vendor Reference"),
    f("company_id", "many2one", "res.company", "r", "Company"),
    f("currency_id", "many2one", "res.currency", "r", "Currency"),
    f("date_order", "datetime", "", "r", "Order Deadline"),
    f("date_planned", "datetime", "", "", "Expected Arrival"),
    f("user_id", "many2one", "res.users", "", "Buyer"),
    f("origin", "char", "", "", "Source"),
    f(
        "order_line",
        "one2many",
        "purchase.order.line/order_id",
        "",
        "Order Lines",
    ),
    f("amount_untaxed", "monetary", "", "o", "Untaxed Amount"),
    f("amount_tax", "monetary", "", "o", "Taxes"),
    f("amount_total", "monetary", "", "o", "Total"),
    f("x_atlas_ref", "char", "", "m", "Atlas Ref"),
    f("x_atlas_amount", "monetary", "", "m", "Atlas Amount"),
    f("x_atlas_weight", "float", "", "md", "Atlas Weight"),
];

const PURCHASE_LINE: &[FieldDef] = &[
    f("order_id", "many2one", "purchase.order", "r", "Order Reference"),
    f("sequence", "integer", "", "", "Sequence"),
    f("name", "text", "", "r", "Description"),
    f("product_id", "many2one", "product.product", "", "Product"),
    f("product_qty", "float", "", "rd", "Quantity"),
    f("price_unit", "float", "", "rD", "Unit Price"),
    f("discount", "float", "", "d", "Discount (%)"),
    f("price_subtotal", "monetary", "", "o", "Subtotal"),
    f("price_tax", "float", "", "o", "Tax"),
    f("price_total", "monetary", "", "o", "Total"),
    f("date_planned", "datetime", "", "", "Expected Arrival"),
    f("currency_id", "many2one", "res.currency", "o", "Currency"),
    f("company_id", "many2one", "res.company", "o", "Company"),
];

const MOVE: &[FieldDef] = &[
    f("name", "char", "", "", "Number"),
    f("state", "selection", "move", "ro", "Status"),
    f("move_type", "selection", "move_type", "r", "Type"),
    f("payment_state", "selection", "payment", "o", "Payment Status"),
    f("partner_id", "many2one", "res.partner", "", "Partner"),
    f("ref", "char", "", "", "Reference"),
    f("invoice_origin", "char", "", "", "Origin"),
    f("invoice_date", "date", "", "", "Invoice/Bill Date"),
    f("invoice_date_due", "date", "", "", "Due Date"),
    f("company_id", "many2one", "res.company", "", "Company"),
    f("currency_id", "many2one", "res.currency", "r", "Currency"),
    f(
        "invoice_line_ids",
        "one2many",
        "account.move.line/move_id",
        "",
        "Invoice lines",
    ),
    f("amount_untaxed", "monetary", "", "o", "Untaxed Amount"),
    f("amount_tax", "monetary", "", "o", "Tax"),
    f("amount_total", "monetary", "", "o", "Total"),
    f("amount_residual", "monetary", "", "o", "Amount Due"),
];

const MOVE_LINE: &[FieldDef] = &[
    f("move_id", "many2one", "account.move", "r", "Journal Entry"),
    f("name", "char", "", "", "Label"),
    f("product_id", "many2one", "product.product", "", "Product"),
    f("quantity", "float", "", "", "Quantity"),
    f("price_unit", "float", "", "D", "Unit Price"),
    f("discount", "float", "", "d", "Discount (%)"),
    f("price_subtotal", "monetary", "", "o", "Subtotal"),
    f("price_total", "monetary", "", "o", "Total"),
    f("currency_id", "many2one", "res.currency", "o", "Currency"),
    f("company_id", "many2one", "res.company", "o", "Company"),
];

const USERS: &[FieldDef] = &[
    f("login", "char", "", "r", "Login"),
    f("name", "char", "", "r", "Name"),
    f("company_id", "many2one", "res.company", "r", "Company"),
    f("company_ids", "many2many", "res.company", "", "Companies"),
    f("tz", "char", "", "", "Timezone"),
    f("lang", "char", "", "", "Language"),
    f("share", "boolean", "", "o", "Share User"),
    f("image_128", "binary", "", "", "Image 128"),
    f("active", "boolean", "", "", "Active"),
];

const KEYS: &[FieldDef] = &[
    f("name", "char", "", "ro", "Description"),
    f("user_id", "many2one", "res.users", "ro", "User"),
    f("scope", "char", "", "o", "Scope"),
    f("expiration_date", "datetime", "", "o", "Expiration Date"),
];

const ATTACHMENT: &[FieldDef] = &[
    f("name", "char", "", "r", "Name"),
    f("res_model", "char", "", "", "Resource Model"),
    f("res_id", "many2one_reference", "", "", "Resource ID"),
    f("datas", "binary", "", "n", "File Content (base64)"),
    f("mimetype", "char", "", "o", "Mime Type"),
    f("file_size", "integer", "", "o", "File Size"),
    f("checksum", "char", "", "o", "Checksum/SHA1"),
    f("type", "char", "", "", "Type"),
    f("url", "char", "", "", "Url"),
    f("store_fname", "char", "", "o", "Stored Filename"),
];

const ACTIVITY: &[FieldDef] = &[
    f("res_model", "char", "", "", "Related Document Model"),
    f("res_id", "many2one_reference", "", "", "Related Document ID"),
    f(
        "activity_type_id",
        "many2one",
        "mail.activity.type",
        "",
        "Activity Type",
    ),
    f("summary", "char", "", "", "Summary"),
    f("note", "html", "", "", "Note"),
    f("date_deadline", "date", "", "r", "Due Date"),
    f("user_id", "many2one", "res.users", "", "Assigned to"),
    f("state", "char", "", "on", "State"),
];

const MESSAGE: &[FieldDef] = &[
    f("model", "char", "", "", "Related Document Model"),
    f("res_id", "many2one_reference", "", "", "Related Document ID"),
    f("body", "html", "", "", "Contents"),
    f("message_type", "char", "", "", "Type"),
    f("subtype_id", "many2one", "mail.message.subtype", "", "Subtype"),
    f("author_id", "many2one", "res.partner", "", "Author"),
    f("date", "datetime", "", "", "Date"),
    f("attachment_ids", "many2many", "ir.attachment", "", "Attachments"),
];

const NAMED: &[FieldDef] = &[
    f("name", "char", "", "r", "Name"),
    f("code", "char", "", "", "Code"),
    f("active", "boolean", "", "", "Active"),
];

const COMPANY: &[FieldDef] = &[
    f("name", "char", "", "r", "Company Name"),
    f("currency_id", "many2one", "res.currency", "r", "Currency"),
    f("partner_id", "many2one", "res.partner", "r", "Partner"),
    f("active", "boolean", "", "", "Active"),
];

const CURRENCY: &[FieldDef] = &[
    f("name", "char", "", "r", "Currency"),
    f("symbol", "char", "", "r", "Symbol"),
    f("rounding", "float", "", "", "Rounding Factor"),
    f("decimal_places", "integer", "", "o", "Decimal Places"),
    f("active", "boolean", "", "", "Active"),
];

const MODULE: &[FieldDef] = &[
    f("name", "char", "", "ro", "Technical Name"),
    f("shortdesc", "char", "", "o", "Module Name"),
    f("state", "selection", "module", "o", "Status"),
    f("installed_version", "char", "", "on", "Latest Version"),
];

const IR_DATA: &[FieldDef] = &[
    f("module", "char", "", "r", "Module"),
    f("name", "char", "", "r", "External Identifier"),
    f("model", "char", "", "r", "Model Name"),
    f("res_id", "many2one_reference", "", "", "Record ID"),
    f("complete_name", "char", "", "o", "Complete ID"),
];

const IR_MODEL: &[FieldDef] = &[
    f("model", "char", "", "r", "Model"),
    f("name", "char", "", "r", "Model Description"),
    f("state", "char", "", "o", "Type"),
    f("modules", "char", "", "on", "In Apps"),
    f("transient", "boolean", "", "o", "Transient Model"),
];

const fn m(
    name: &'static str,
    label: &'static str,
    fields: &'static [FieldDef],
    methods: &'static [&'static str],
) -> ModelDef {
    ModelDef {
        name,
        label,
        fields,
        methods,
    }
}

/// Every model, with the methods of its own.
pub(super) const MODELS: &[ModelDef] = &[
    m(
        "res.partner",
        "Contact",
        PARTNER,
        &["message_post", "activity_schedule"],
    ),
    m("res.partner.category", "Partner Tags", NAMED, &[]),
    m("res.country", "Country", NAMED, &[]),
    m("res.company", "Companies", COMPANY, &[]),
    m("res.currency", "Currency", CURRENCY, &[]),
    m("res.users", "User", USERS, &["context_get"]),
    m("res.users.apikeys", "Users API Keys", KEYS, &[]),
    m(
        "product.template",
        "Product",
        TEMPLATE,
        &["message_post", "activity_schedule"],
    ),
    m(
        "product.product",
        "Product Variant",
        TEMPLATE,
        &["message_post", "activity_schedule"],
    ),
    m("uom.uom", "Product Unit of Measure", NAMED, &[]),
    m("crm.tag", "CRM Tag", NAMED, &[]),
    m(
        "sale.order",
        "Sales Order",
        SALE,
        &[
            "action_confirm",
            "action_cancel",
            "action_draft",
            "action_quotation_send",
            "message_post",
            "activity_schedule",
        ],
    ),
    m("sale.order.line", "Sales Order Line", SALE_LINE, &[]),
    m(
        "purchase.order",
        "Purchase Order",
        PURCHASE,
        &["button_confirm", "button_cancel", "message_post", "activity_schedule"],
    ),
    m("purchase.order.line", "Purchase Order Line", PURCHASE_LINE, &[]),
    m(
        "account.move",
        "Journal Entry",
        MOVE,
        &["action_post", "button_cancel", "message_post", "activity_schedule"],
    ),
    m("account.move.line", "Journal Item", MOVE_LINE, &[]),
    m("ir.attachment", "Attachment", ATTACHMENT, &[]),
    m("ir.module.module", "Module", MODULE, &[]),
    m("ir.model", "Models", IR_MODEL, &[]),
    m("ir.model.data", "Model Data", IR_DATA, &[]),
    m("x_atlas_noacl", "Atlas No ACL", NAMED, &[]),
    m("mail.activity", "Activity", ACTIVITY, &[]),
    m("mail.activity.type", "Activity Type", NAMED, &[]),
    m("mail.message", "Message", MESSAGE, &[]),
    m("mail.message.subtype", "Message subtypes", NAMED, &[]),
];

/// A model by its name.
pub(super) fn model(name: &str) -> Option<&'static ModelDef> {
    MODELS.iter().find(|model| model.name == name)
}
