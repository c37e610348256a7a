//! The entities that the mock has, with the names and types of the standard API (`business-central.md`, section 3).

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ty {
    Guid,
    Text(u32),
    Flag,
    Whole,
    Number,
    Date,
    Moment,
    Choice(&'static str),
}

/// A field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) ty: Ty,
    pub(super) nullable: bool,
    /// Computed: a request may not set it.
    pub(super) computed: bool,
}

impl Field {
    const fn new(name: &'static str, ty: Ty) -> Self {
        Self {
            name,
            ty,
            nullable: true,
            computed: false,
        }
    }

    const fn never_null(mut self) -> Self {
        self.nullable = false;
        self
    }

    const fn computed(mut self) -> Self {
        self.computed = true;
        self
    }
}

const fn guid(name: &'static str) -> Field {
    Field::new(name, Ty::Guid)
}
const fn text(name: &'static str, length: u32) -> Field {
    Field::new(name, Ty::Text(length))
}
const fn flag(name: &'static str) -> Field {
    Field::new(name, Ty::Flag)
}
const fn whole(name: &'static str) -> Field {
    Field::new(name, Ty::Whole)
}
const fn number(name: &'static str) -> Field {
    Field::new(name, Ty::Number)
}
const fn date(name: &'static str) -> Field {
    Field::new(name, Ty::Date)
}
const fn moment(name: &'static str) -> Field {
    Field::new(name, Ty::Moment)
}
const fn choice(name: &'static str, of: &'static str) -> Field {
    Field::new(name, Ty::Choice(of))
}

/// A relation: its name, the set it leads to, own field, field there, whether it leads to many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relation {
    pub(super) name: &'static str,
    pub(super) set: &'static str,
    pub(super) own: &'static str,
    pub(super) theirs: &'static str,
    pub(super) many: bool,
}

const fn one(name: &'static str, set: &'static str, own: &'static str) -> Relation {
    Relation {
        name,
        set,
        own,
        theirs: "id",
        many: false,
    }
}
const fn lines(name: &'static str) -> Relation {
    Relation {
        name,
        set: name,
        own: "id",
        theirs: "documentId",
        many: true,
    }
}

/// A document: whom it is for, and where its lines are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Document {
    pub(super) lines: &'static str,
    pub(super) party: &'static str,
    pub(super) party_id: &'static str,
    pub(super) party_number: &'static str,
    pub(super) party_name: &'static str,
    pub(super) first_status: &'static str,
}

/// An entity and its set.
#[derive(Debug)]
pub(super) struct Entity {
    pub(super) name: &'static str,
    pub(super) set: &'static str,
    /// Number and name of the table whose rights count.
    pub(super) table: (u32, &'static str),
    /// Prefix of its numbers.
    pub(super) series: &'static str,
    pub(super) writable: bool,
    /// The set of its documents, for lines.
    pub(super) line_of: Option<&'static str>,
    pub(super) document: Option<Document>,
    pub(super) fields: &'static [Field],
    pub(super) relations: &'static [Relation],
    pub(super) actions: &'static [&'static str],
}

impl Entity {
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    pub(super) fn relation(&self, name: &str) -> Option<&'static Relation> {
        self.relations.iter().find(|relation| relation.name == name)
    }

    /// The field that the page is ordered by.
    pub(super) fn order(&self) -> &'static str {
        match (self.line_of, self.field("number")) {
            (Some(_), _) => "sequence",
            (None, Some(_)) => "number",
            (None, None) => "name",
        }
    }
}

/// The entity of this set.
pub(super) fn of_set(set: &str) -> Option<&'static Entity> {
    ENTITIES.iter().copied().find(|entity| entity.set == set)
}

/// All of them, in the order of the service document.
pub(super) const ENTITIES: &[&Entity] = &[
    &COMPANY,
    &ITEM,
    &CUSTOMER,
    &VENDOR,
    &SALES_INVOICE,
    &SALES_INVOICE_LINE,
    &SALES_ORDER,
    &SALES_ORDER_LINE,
    &PURCHASE_INVOICE,
    &PURCHASE_INVOICE_LINE,
    &PURCHASE_ORDER,
    &PURCHASE_ORDER_LINE,
];

/// The members of an enumeration as they travel, with their values.
pub(super) fn members(of: &str) -> &'static [(&'static str, i32)] {
    ENUMS
        .iter()
        .find(|(name, _)| *name == of)
        .map_or(&[], |(_, members)| *members)
}

#[rustfmt::skip]
pub(super) const ENUMS: &[(&str, &[(&str, i32)])] = &[
    ("contactType", &[("Company", 0), ("Person", 1)]),
    ("customerBlocked", &[("_x0020_", 0), ("Ship", 1), ("Invoice", 2), ("All", 3)]),
    ("vendorBlocked", &[("_x0020_", 0), ("Payment", 1), ("All", 2)]),
    ("itemType", &[("Inventory", 0), ("Service", 1), ("Non_x002D_Inventory", 2)]),
    ("salesOrderEntityBufferStatus", &[("Draft", 0), ("In_x0020_Review", 1), ("Open", 2)]),
    ("purchaseOrderEntityBufferStatus", &[("Draft", 0), ("In_x0020_Review", 1), ("Open", 2)]),
    ("invoiceEntityAggregateStatus", &[("_x0020_", 0), ("Draft", 1), ("In_x0020_Review", 2), ("Open", 3), ("Paid", 4), ("Canceled", 5), ("Corrective", 6)]),
    ("invoiceLineAggLineType", &[("Comment", 0), ("Account", 1), ("Item", 2), ("Resource", 3), ("Fixed_x0020_Asset", 4), ("Charge", 5)]),
];

#[rustfmt::skip]
pub(super) const COMPANY: Entity = Entity {
    name: "company", set: "companies", table: (2_000_000_006, "Company"), series: "", writable: false,
    line_of: None, document: None,
    fields: &[
        guid("id").never_null(), text("systemVersion", 0), whole("timestamp"), text("name", 30), text("displayName", 250),
        text("businessProfileId", 250), moment("systemCreatedAt"), guid("systemCreatedBy"), moment("systemModifiedAt"),
        guid("systemModifiedBy"),
    ],
    relations: &[], actions: &[],
};

#[rustfmt::skip]
const CUSTOMER: Entity = Entity {
    name: "customer", set: "customers", table: (18, "Customer"), series: "C", writable: true,
    line_of: None, document: None,
    fields: &[
        guid("id").never_null(), text("number", 20), text("displayName", 100).never_null(), choice("type", "contactType"),
        text("addressLine1", 100), text("addressLine2", 50), text("city", 30), text("state", 30), text("country", 10),
        text("postalCode", 20), text("phoneNumber", 30), text("email", 80), text("website", 80), text("salespersonCode", 20),
        number("balanceDue").computed(), number("creditLimit"), flag("taxLiable"), guid("taxAreaId"),
        text("taxAreaDisplayName", 0).computed(), text("taxRegistrationNumber", 0), guid("currencyId"), text("currencyCode", 0),
        guid("paymentTermsId"), guid("shipmentMethodId"), guid("paymentMethodId"), choice("blocked", "customerBlocked"),
        moment("lastModifiedDateTime").computed(),
    ],
    relations: &[], actions: &[],
};

#[rustfmt::skip]
const VENDOR: Entity = Entity {
    name: "vendor", set: "vendors", table: (23, "Vendor"), series: "V", writable: true,
    line_of: None, document: None,
    fields: &[
        guid("id").never_null(), text("number", 20), text("displayName", 100), text("addressLine1", 100), text("addressLine2", 50),
        text("city", 30), text("state", 30), text("country", 10), text("postalCode", 20), text("phoneNumber", 30),
        text("email", 80), text("website", 80), text("taxRegistrationNumber", 0), guid("currencyId"), text("currencyCode", 0),
        text("irs1099Code", 0), guid("paymentTermsId"), guid("paymentMethodId"), flag("taxLiable"),
        choice("blocked", "vendorBlocked"), number("balance").computed(), moment("lastModifiedDateTime").computed(),
    ],
    relations: &[], actions: &[],
};

#[rustfmt::skip]
const ITEM: Entity = Entity {
    name: "item", set: "items", table: (27, "Item"), series: "I", writable: true,
    line_of: None, document: None,
    fields: &[
        guid("id").never_null(), text("number", 20), text("displayName", 100), text("displayName2", 50), choice("type", "itemType"),
        guid("itemCategoryId"), text("itemCategoryCode", 20), flag("blocked"), text("gtin", 14), number("inventory").computed(),
        number("unitPrice"), flag("priceIncludesTax"), number("unitCost"), guid("taxGroupId"), text("taxGroupCode", 20),
        guid("baseUnitOfMeasureId"), text("baseUnitOfMeasureCode", 10), guid("generalProductPostingGroupId"),
        text("generalProductPostingGroupCode", 20), guid("inventoryPostingGroupId"), text("inventoryPostingGroupCode", 20),
        moment("lastModifiedDateTime").computed(),
    ],
    relations: &[], actions: &[],
};

#[rustfmt::skip]
const SALES_ORDER: Entity = Entity {
    name: "salesOrder", set: "salesOrders", table: (36, "Sales Header"), series: "S-ORD", writable: true, line_of: None,
    document: Some(Document {
        lines: "salesOrderLines", party: "customers", party_id: "customerId", party_number: "customerNumber",
        party_name: "customerName", first_status: "Draft",
    }),
    fields: &[
        guid("id").never_null(), text("number", 20), text("externalDocumentNumber", 35), date("orderDate"), date("postingDate"),
        guid("customerId"), text("customerNumber", 20).never_null(), text("customerName", 100).computed(),
        text("billToName", 100).computed(), guid("billToCustomerId"), text("billToCustomerNumber", 20).never_null(),
        text("shipToName", 100), text("shipToContact", 100), text("sellToAddressLine1", 100), text("sellToAddressLine2", 50),
        text("sellToCity", 30), text("sellToCountry", 10), text("sellToState", 30), text("sellToPostCode", 20),
        text("billToAddressLine1", 100).computed(), text("billToAddressLine2", 50).computed(), text("billToCity", 30).computed(),
        text("billToCountry", 10).computed(), text("billToState", 30).computed(), text("billToPostCode", 20).computed(),
        text("shipToAddressLine1", 100), text("shipToAddressLine2", 50), text("shipToCity", 30), text("shipToCountry", 10),
        text("shipToState", 30), text("shipToPostCode", 20), text("shortcutDimension1Code", 20),
        text("shortcutDimension2Code", 20), guid("currencyId"), text("currencyCode", 0), flag("pricesIncludeTax").computed(),
        guid("paymentTermsId"), guid("shipmentMethodId"), text("salesperson", 20), flag("partialShipping"),
        date("requestedDeliveryDate"), number("discountAmount"), flag("discountAppliedBeforeTax").computed(),
        number("totalAmountExcludingTax").computed(), number("totalTaxAmount").computed(),
        number("totalAmountIncludingTax").computed(), flag("fullyShipped").computed(),
        choice("status", "salesOrderEntityBufferStatus").computed(), moment("lastModifiedDateTime").computed(),
        text("phoneNumber", 30), text("email", 80),
    ],
    relations: &[one("customer", "customers", "customerId"), lines("salesOrderLines")],
    actions: &["shipAndInvoice"],
};

#[rustfmt::skip]
const SALES_ORDER_LINE: Entity = Entity {
    name: "salesOrderLine", set: "salesOrderLines", table: (37, "Sales Line"), series: "", writable: true,
    line_of: Some("salesOrders"), document: None,
    fields: &[
        guid("id").never_null(), guid("documentId"), whole("sequence"), guid("itemId"), guid("accountId"),
        choice("lineType", "invoiceLineAggLineType"), text("lineObjectNumber", 20), text("description", 100),
        text("description2", 50), guid("unitOfMeasureId"), text("unitOfMeasureCode", 10), number("quantity"),
        number("unitPrice"), number("discountAmount"), number("discountPercent"), flag("discountAppliedBeforeTax").computed(),
        number("amountExcludingTax").computed(), text("taxCode", 50), number("taxPercent").computed(),
        number("totalTaxAmount").computed(), number("amountIncludingTax").computed(),
        number("invoiceDiscountAllocation").computed(), number("netAmount").computed(), number("netTaxAmount").computed(),
        number("netAmountIncludingTax").computed(), date("shipmentDate"), number("shippedQuantity").computed(),
        number("invoicedQuantity").computed(), number("invoiceQuantity"), number("shipQuantity"), guid("itemVariantId"),
        guid("locationId"),
    ],
    relations: &[one("salesOrder", "salesOrders", "documentId"), one("item", "items", "itemId")],
    actions: &[],
};

#[rustfmt::skip]
const PURCHASE_ORDER: Entity = Entity {
    name: "purchaseOrder", set: "purchaseOrders", table: (38, "Purchase Header"), series: "P-ORD", writable: true, line_of: None,
    document: Some(Document {
        lines: "purchaseOrderLines", party: "vendors", party_id: "vendorId", party_number: "vendorNumber",
        party_name: "vendorName", first_status: "Draft",
    }),
    fields: &[
        guid("id").never_null(), text("number", 20), date("orderDate"), date("postingDate"), guid("vendorId"),
        text("vendorNumber", 20).never_null(), text("vendorName", 100).computed(), text("payToName", 100).computed(),
        guid("payToVendorId"), text("payToVendorNumber", 20).never_null(), text("shipToName", 100), text("shipToContact", 100),
        text("buyFromAddressLine1", 100), text("buyFromAddressLine2", 50), text("buyFromCity", 30), text("buyFromCountry", 10),
        text("buyFromState", 30), text("buyFromPostCode", 20), text("payToAddressLine1", 100).computed(),
        text("payToAddressLine2", 50).computed(), text("payToCity", 30).computed(), text("payToCountry", 10).computed(),
        text("payToState", 30).computed(), text("payToPostCode", 20).computed(), text("shipToAddressLine1", 100),
        text("shipToAddressLine2", 50), text("shipToCity", 30), text("shipToCountry", 10), text("shipToState", 30),
        text("shipToPostCode", 20), text("shortcutDimension1Code", 20), text("shortcutDimension2Code", 20), guid("currencyId"),
        text("currencyCode", 0), flag("pricesIncludeTax").computed(), guid("paymentTermsId"), guid("shipmentMethodId"),
        text("purchaser", 20), date("requestedReceiptDate"), number("discountAmount"),
        flag("discountAppliedBeforeTax").computed(), number("totalAmountExcludingTax").computed(),
        number("totalTaxAmount").computed(), number("totalAmountIncludingTax").computed(), flag("fullyReceived").computed(),
        choice("status", "purchaseOrderEntityBufferStatus").computed(), moment("lastModifiedDateTime").computed(),
    ],
    relations: &[one("vendor", "vendors", "vendorId"), lines("purchaseOrderLines")],
    actions: &["receiveAndInvoice"],
};

#[rustfmt::skip]
const PURCHASE_ORDER_LINE: Entity = Entity {
    name: "purchaseOrderLine", set: "purchaseOrderLines", table: (39, "Purchase Line"), series: "", writable: true,
    line_of: Some("purchaseOrders"), document: None,
    fields: &[
        guid("id").never_null(), guid("documentId"), whole("sequence"), guid("itemId"), guid("accountId"),
        choice("lineType", "invoiceLineAggLineType"), text("lineObjectNumber", 20), text("description", 100),
        text("description2", 50), guid("unitOfMeasureId"), text("unitOfMeasureCode", 10), number("quantity"),
        number("directUnitCost"), number("discountAmount"), number("discountPercent"),
        flag("discountAppliedBeforeTax").computed(), number("amountExcludingTax").computed(), text("taxCode", 50),
        number("taxPercent").computed(), number("totalTaxAmount").computed(), number("amountIncludingTax").computed(),
        number("invoiceDiscountAllocation").computed(), number("netAmount").computed(), number("netTaxAmount").computed(),
        number("netAmountIncludingTax").computed(), date("expectedReceiptDate"), number("receivedQuantity").computed(),
        number("invoicedQuantity").computed(), number("invoiceQuantity"), number("receiveQuantity"), guid("itemVariantId"),
        guid("locationId"),
    ],
    relations: &[one("purchaseOrder", "purchaseOrders", "documentId"), one("item", "items", "itemId")],
    actions: &[],
};

#[rustfmt::skip]
const SALES_INVOICE: Entity = Entity {
    name: "salesInvoice", set: "salesInvoices", table: (36, "Sales Header"), series: "S-INV", writable: true, line_of: None,
    document: Some(Document {
        lines: "salesInvoiceLines", party: "customers", party_id: "customerId", party_number: "customerNumber",
        party_name: "customerName", first_status: "Draft",
    }),
    fields: &[
        guid("id").never_null(), text("number", 20), text("externalDocumentNumber", 35), date("invoiceDate"),
        date("postingDate"), date("dueDate"), date("promisedPayDate"), text("customerPurchaseOrderReference", 35),
        guid("customerId"), text("customerNumber", 20).never_null(), text("customerName", 100).computed(),
        text("billToName", 100).computed(), guid("billToCustomerId"), text("billToCustomerNumber", 20).never_null(),
        text("shipToName", 100), text("shipToContact", 100), text("sellToAddressLine1", 100), text("sellToAddressLine2", 50),
        text("sellToCity", 30), text("sellToCountry", 10), text("sellToState", 30), text("sellToPostCode", 20),
        text("billToAddressLine1", 100).computed(), text("billToAddressLine2", 50).computed(), text("billToCity", 30).computed(),
        text("billToCountry", 10).computed(), text("billToState", 30).computed(), text("billToPostCode", 20).computed(),
        text("shipToAddressLine1", 100), text("shipToAddressLine2", 50), text("shipToCity", 30), text("shipToCountry", 10),
        text("shipToState", 30), text("shipToPostCode", 20), guid("currencyId"), text("shortcutDimension1Code", 20),
        text("shortcutDimension2Code", 20), text("currencyCode", 0), guid("orderId").computed(), text("orderNumber", 20).computed(),
        guid("paymentTermsId"), guid("shipmentMethodId"), text("salesperson", 20), guid("disputeStatusId"),
        text("disputeStatus", 10), flag("pricesIncludeTax").computed(), number("remainingAmount").computed(),
        number("discountAmount"), flag("discountAppliedBeforeTax").computed(), number("totalAmountExcludingTax").computed(),
        number("totalTaxAmount").computed(), number("totalAmountIncludingTax").computed(),
        choice("status", "invoiceEntityAggregateStatus").computed(), moment("lastModifiedDateTime").computed(),
        text("phoneNumber", 30), text("email", 80),
    ],
    relations: &[one("customer", "customers", "customerId"), lines("salesInvoiceLines")],
    actions: &["cancel", "post", "postAndSend", "send"],
};

#[rustfmt::skip]
const SALES_INVOICE_LINE: Entity = Entity {
    name: "salesInvoiceLine", set: "salesInvoiceLines", table: (37, "Sales Line"), series: "", writable: true,
    line_of: Some("salesInvoices"), document: None,
    fields: &[
        guid("id").never_null(), guid("documentId"), whole("sequence"), guid("itemId"), guid("accountId"),
        choice("lineType", "invoiceLineAggLineType"), text("lineObjectNumber", 20), text("description", 100),
        text("description2", 50), guid("unitOfMeasureId"), text("unitOfMeasureCode", 10), number("quantity"),
        number("unitPrice"), number("discountAmount"), number("discountPercent"), flag("discountAppliedBeforeTax").computed(),
        number("amountExcludingTax").computed(), text("taxCode", 50), number("taxPercent").computed(),
        number("totalTaxAmount").computed(), number("amountIncludingTax").computed(),
        number("invoiceDiscountAllocation").computed(), number("netAmount").computed(), number("netTaxAmount").computed(),
        number("netAmountIncludingTax").computed(), date("shipmentDate"), guid("itemVariantId"), guid("locationId"),
    ],
    relations: &[one("salesInvoice", "salesInvoices", "documentId"), one("item", "items", "itemId")],
    actions: &[],
};

#[rustfmt::skip]
const PURCHASE_INVOICE: Entity = Entity {
    name: "purchaseInvoice", set: "purchaseInvoices", table: (38, "Purchase Header"), series: "P-INV", writable: true, line_of: None,
    document: Some(Document {
        lines: "purchaseInvoiceLines", party: "vendors", party_id: "vendorId", party_number: "vendorNumber",
        party_name: "vendorName", first_status: "Draft",
    }),
    fields: &[
        guid("id").never_null(), text("number", 20), date("postingDate"), date("invoiceDate"), date("dueDate"),
        text("vendorInvoiceNumber", 35), guid("vendorId"), text("vendorNumber", 20).never_null(),
        text("vendorName", 100).computed(), text("payToName", 100).computed(), text("payToContact", 100).computed(),
        guid("payToVendorId"), text("payToVendorNumber", 20).never_null(), text("shipToName", 100), text("shipToContact", 100),
        text("buyFromAddressLine1", 100), text("buyFromAddressLine2", 50), text("buyFromCity", 30), text("buyFromCountry", 10),
        text("buyFromState", 30), text("buyFromPostCode", 20), text("shipToAddressLine1", 100), text("shipToAddressLine2", 50),
        text("shipToCity", 30), text("shipToCountry", 10), text("shipToState", 30), text("shipToPostCode", 20),
        text("payToAddressLine1", 100).computed(), text("payToAddressLine2", 50).computed(), text("payToCity", 30).computed(),
        text("payToCountry", 10).computed(), text("payToState", 30).computed(), text("payToPostCode", 20).computed(),
        text("shortcutDimension1Code", 20), text("shortcutDimension2Code", 20), guid("currencyId"), text("currencyCode", 0),
        guid("orderId").computed(), text("orderNumber", 20).computed(), text("purchaser", 20),
        flag("pricesIncludeTax").computed(), number("discountAmount"), flag("discountAppliedBeforeTax").computed(),
        number("totalAmountExcludingTax").computed(), number("totalTaxAmount").computed(),
        number("totalAmountIncludingTax").computed(), choice("status", "invoiceEntityAggregateStatus").computed(),
        moment("lastModifiedDateTime").computed(),
    ],
    relations: &[one("vendor", "vendors", "vendorId"), lines("purchaseInvoiceLines")],
    actions: &["post"],
};

#[rustfmt::skip]
const PURCHASE_INVOICE_LINE: Entity = Entity {
    name: "purchaseInvoiceLine", set: "purchaseInvoiceLines", table: (39, "Purchase Line"), series: "", writable: true,
    line_of: Some("purchaseInvoices"), document: None,
    fields: &[
        guid("id").never_null(), guid("documentId"), whole("sequence"), guid("itemId"), guid("accountId"),
        choice("lineType", "invoiceLineAggLineType"), text("lineObjectNumber", 20), text("description", 100),
        text("description2", 50), guid("unitOfMeasureId"), text("unitOfMeasureCode", 10), number("unitCost"), number("quantity"),
        number("discountAmount"), number("discountPercent"), flag("discountAppliedBeforeTax").computed(),
        number("amountExcludingTax").computed(), text("taxCode", 50), number("taxPercent").computed(),
        number("totalTaxAmount").computed(), number("amountIncludingTax").computed(),
        number("invoiceDiscountAllocation").computed(), number("netAmount").computed(), number("netTaxAmount").computed(),
        number("netAmountIncludingTax").computed(), date("expectedReceiptDate"), guid("itemVariantId"), guid("locationId"),
    ],
    relations: &[one("purchaseInvoice", "purchaseInvoices", "documentId"), one("item", "items", "itemId")],
    actions: &[],
};
