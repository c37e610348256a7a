//! What the mock's services hold: sets, fields and links, in V2's and V4's words. Made up for this mock after the names
//! that `sap-odata.md` gives; no document of SAP's is copied.

/// One set of records, the same in V2 and V4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Table {
    /// Business partners.
    BusinessPartner,
    /// Customers: the customer role of partners.
    Customer,
    /// Suppliers: the supplier role of partners.
    Supplier,
    /// Products.
    Product,
    /// Sales orders.
    SalesOrder,
    /// Their items.
    SalesOrderItem,
    /// Purchase orders.
    PurchaseOrder,
    /// Their items.
    PurchaseOrderItem,
    /// Billing documents: sales invoices.
    BillingDocument,
    /// Supplier invoices: purchase invoices.
    SupplierInvoice,
    /// Requisitions with drafts, V4 only.
    Requisition,
    /// Service lists of the catalog, V2 only.
    CatalogEntry,
}

/// A field's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text(u32),
    Decimal(u32, u32),
    Date,
    Stamp,
    Bool,
}

/// One field. Values are kept as text: numbers with their scale, dates as `2026-11-26`, stamps as `2026-11-26T08:00:00.000Z`.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldDef {
    pub(super) v2: &'static str,
    pub(super) v4: &'static str,
    pub(super) kind: Kind,
    pub(super) label: &'static str,
    pub(super) key: bool,
    /// Set by the system, refused in writes.
    pub(super) computed: bool,
    /// Set at creation only.
    pub(super) fixed: bool,
    pub(super) filterable: bool,
}

/// A link to the parts of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinkDef {
    pub(super) v2: &'static str,
    pub(super) v4: &'static str,
    pub(super) to: Table,
}

/// One set.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableDef {
    pub(super) table: Table,
    pub(super) v2: &'static str,
    pub(super) v4: &'static str,
    pub(super) label: &'static str,
    pub(super) fields: &'static [FieldDef],
    pub(super) links: &'static [LinkDef],
    /// The field whose value makes the etag; none for sets without declared concurrency.
    pub(super) stamp: Option<&'static str>,
    pub(super) creatable: bool,
    pub(super) updatable: bool,
    pub(super) deletable: bool,
    pub(super) draft: bool,
}

/// One service at one address.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServiceDef {
    pub(super) path: &'static str,
    pub(super) v4: bool,
    pub(super) name: &'static str,
    pub(super) namespace: &'static str,
    pub(super) tables: &'static [Table],
}

const fn field(name: &'static str, kind: Kind, label: &'static str) -> FieldDef {
    FieldDef {
        v2: name,
        v4: name,
        kind,
        label,
        key: false,
        computed: false,
        fixed: false,
        filterable: true,
    }
}

impl FieldDef {
    const fn key(mut self) -> Self {
        self.key = true;
        self.fixed = true;
        self
    }
    const fn computed(mut self) -> Self {
        self.computed = true;
        self
    }
    const fn fixed(mut self) -> Self {
        self.fixed = true;
        self
    }
    const fn unfilterable(mut self) -> Self {
        self.filterable = false;
        self
    }
    const fn in_v4(mut self, name: &'static str) -> Self {
        self.v4 = name;
        self
    }
    pub(super) const fn name(&self, v4: bool) -> &'static str {
        if v4 { self.v4 } else { self.v2 }
    }
}

use Kind::{Bool, Date, Decimal, Stamp, Text};

const PARTNER: TableDef = TableDef {
    table: Table::BusinessPartner,
    v2: "A_BusinessPartner",
    v4: "BusinessPartner",
    label: "Business Partner",
    fields: &[
        field("BusinessPartner", Text(10), "Business Partner").key(),
        field("BusinessPartnerName", Text(81), "Name"),
        field("BusinessPartnerCategory", Text(1), "Category").fixed(),
        field("Customer", Text(10), "Customer").computed(),
        field("Supplier", Text(10), "Supplier").computed(),
        field("BusinessPartnerIsBlocked", Bool, "Blocked"),
        field("SearchTerm1", Text(20), "Search Term"),
        field("LastChangeDate", Date, "Changed On").computed(),
        field("YY1_Region_bus", Text(20), "Own Region"),
    ],
    links: &[],
    stamp: None,
    creatable: true,
    updatable: true,
    deletable: false,
    draft: false,
};

const CUSTOMER: TableDef = TableDef {
    table: Table::Customer,
    v2: "A_Customer",
    v4: "Customer",
    label: "Customer",
    fields: &[
        field("Customer", Text(10), "Customer").key(),
        field("CustomerName", Text(80), "Name of Customer").computed(),
        field("CustomerFullName", Text(220), "Full Name").computed(),
        field("OrderIsBlockedForCustomer", Text(2), "Central Order Block"),
        field("VATRegistration", Text(20), "VAT Registration Number").computed(),
    ],
    links: &[],
    stamp: None,
    creatable: false,
    updatable: true,
    deletable: false,
    draft: false,
};

const SUPPLIER: TableDef = TableDef {
    table: Table::Supplier,
    v2: "A_Supplier",
    v4: "Supplier",
    label: "Supplier",
    fields: &[
        field("Supplier", Text(10), "Supplier").key(),
        field("SupplierName", Text(80), "Name of Supplier").computed(),
        field("SupplierFullName", Text(220), "Full Name").computed(),
        field("PurchasingIsBlocked", Bool, "Purchasing Block"),
        field("VATRegistration", Text(20), "VAT Registration Number").computed(),
    ],
    links: &[],
    stamp: None,
    creatable: false,
    updatable: true,
    deletable: false,
    draft: false,
};

const PRODUCT: TableDef = TableDef {
    table: Table::Product,
    v2: "A_Product",
    v4: "Product",
    label: "Product",
    fields: &[
        field("Product", Text(40), "Product").key(),
        field("ProductType", Text(4), "Product Type").fixed(),
        field("ProductGroup", Text(9), "Product Group"),
        field("BaseUnit", Text(3), "Base Unit"),
        field("GrossWeight", Decimal(13, 3), "Gross Weight"),
        field("IsMarkedForDeletion", Bool, "Marked for Deletion"),
        field("LastChangeDateTime", Stamp, "Changed At").computed(),
    ],
    links: &[],
    stamp: None,
    creatable: true,
    updatable: true,
    deletable: false,
    draft: false,
};

const SALES_ORDER: TableDef = TableDef {
    table: Table::SalesOrder,
    v2: "A_SalesOrder",
    v4: "SalesOrder",
    label: "Sales Order",
    fields: &[
        field("SalesOrder", Text(10), "Sales Order").key().computed(),
        field("SalesOrderType", Text(4), "Sales Order Type").fixed(),
        field("SalesOrganization", Text(4), "Sales Organization").fixed(),
        field("DistributionChannel", Text(2), "Distribution Channel").fixed(),
        field("OrganizationDivision", Text(2), "Division").fixed(),
        field("SoldToParty", Text(10), "Sold-to Party"),
        field("PurchaseOrderByCustomer", Text(35), "Customer Reference"),
        field("CreationDate", Date, "Created On").computed(),
        field("LastChangeDateTime", Stamp, "Changed At").computed(),
        field("RequestedDeliveryDate", Date, "Requested Delivery Date"),
        field("TotalNetAmount", Decimal(16, 3), "Total Net Amount").computed(),
        field("TransactionCurrency", Text(5), "Document Currency"),
        field("OverallSDProcessStatus", Text(1), "Overall Status").computed(),
        field("OverallDeliveryStatus", Text(1), "Delivery Status").computed(),
        field("HeaderBillingBlockReason", Text(2), "Billing Block").unfilterable(),
        field("YY1_ExactAmount_SDH", Decimal(28, 6), "Own Exact Amount"),
        field("YY1_Plant_SDH", Text(20), "Own Plant Note"),
    ],
    links: &[LinkDef {
        v2: "to_Item",
        v4: "_Item",
        to: Table::SalesOrderItem,
    }],
    stamp: Some("LastChangeDateTime"),
    creatable: true,
    updatable: true,
    deletable: true,
    draft: false,
};

const SALES_ORDER_ITEM: TableDef = TableDef {
    table: Table::SalesOrderItem,
    v2: "A_SalesOrderItem",
    v4: "SalesOrderItem",
    label: "Sales Order Item",
    fields: &[
        field("SalesOrder", Text(10), "Sales Order").key().computed(),
        field("SalesOrderItem", Text(6), "Sales Order Item").key(),
        field("Material", Text(40), "Product").in_v4("Product"),
        field("SalesOrderItemText", Text(40), "Item Description"),
        field("RequestedQuantity", Decimal(15, 3), "Requested Quantity"),
        field("RequestedQuantityUnit", Text(3), "Unit"),
        field("NetAmount", Decimal(16, 3), "Net Amount").computed(),
        field("TransactionCurrency", Text(5), "Document Currency").computed(),
        field("SalesDocumentRjcnReason", Text(2), "Rejection Reason"),
    ],
    links: &[],
    stamp: None,
    creatable: true,
    updatable: true,
    deletable: true,
    draft: false,
};

const PURCHASE_ORDER: TableDef = TableDef {
    table: Table::PurchaseOrder,
    v2: "A_PurchaseOrder",
    v4: "PurchaseOrder",
    label: "Purchase Order",
    fields: &[
        field("PurchaseOrder", Text(10), "Purchase Order").key().computed(),
        field("PurchaseOrderType", Text(4), "Purchase Order Type").fixed(),
        field("CompanyCode", Text(4), "Company Code").fixed(),
        field("PurchasingOrganization", Text(4), "Purchasing Organization").fixed(),
        field("PurchasingGroup", Text(3), "Purchasing Group"),
        field("Supplier", Text(10), "Supplier"),
        field("PurchaseOrderDate", Date, "Purchase Order Date"),
        field("DocumentCurrency", Text(5), "Currency"),
        field("CorrespncExternalReference", Text(12), "Your Reference"),
        field("PurchasingProcessingStatus", Text(2), "Status").computed(),
        field("YY1_ExactAmount_PDH", Decimal(31, 6), "Own Exact Amount"),
        field("CreationDate", Date, "Created On").computed(),
        field("LastChangeDateTime", Stamp, "Changed At").computed(),
    ],
    links: &[LinkDef {
        v2: "to_PurchaseOrderItem",
        v4: "_PurchaseOrderItem",
        to: Table::PurchaseOrderItem,
    }],
    stamp: None,
    creatable: true,
    updatable: true,
    deletable: true,
    draft: false,
};

const PURCHASE_ORDER_ITEM: TableDef = TableDef {
    table: Table::PurchaseOrderItem,
    v2: "A_PurchaseOrderItem",
    v4: "PurchaseOrderItem",
    label: "Purchase Order Item",
    fields: &[
        field("PurchaseOrder", Text(10), "Purchase Order").key().computed(),
        field("PurchaseOrderItem", Text(5), "Item").key(),
        field("Material", Text(40), "Material"),
        field("PurchaseOrderItemText", Text(40), "Short Text"),
        field("OrderQuantity", Decimal(13, 3), "Order Quantity"),
        field("PurchaseOrderQuantityUnit", Text(3), "Order Unit"),
        field("NetPriceAmount", Decimal(12, 3), "Net Price"),
        field("DocumentCurrency", Text(5), "Currency").computed(),
    ],
    links: &[],
    stamp: None,
    creatable: true,
    updatable: true,
    deletable: true,
    draft: false,
};

const BILLING_DOCUMENT: TableDef = TableDef {
    table: Table::BillingDocument,
    v2: "A_BillingDocument",
    v4: "BillingDocument",
    label: "Billing Document",
    fields: &[
        field("BillingDocument", Text(10), "Billing Document").key().computed(),
        field("BillingDocumentType", Text(4), "Billing Type").computed(),
        field("BillingDocumentDate", Date, "Billing Date").computed(),
        field("SoldToParty", Text(10), "Sold-to Party").computed(),
        field("TotalNetAmount", Decimal(16, 3), "Net Value").computed(),
        field("TransactionCurrency", Text(5), "Document Currency").computed(),
        field("OverallBillingStatus", Text(1), "Billing Status").computed(),
        field("BillingDocumentIsCancelled", Bool, "Cancelled").computed(),
        field("LastChangeDateTime", Stamp, "Changed At").computed(),
    ],
    links: &[],
    stamp: None,
    creatable: false,
    updatable: false,
    deletable: false,
    draft: false,
};

const SUPPLIER_INVOICE: TableDef = TableDef {
    table: Table::SupplierInvoice,
    v2: "A_SupplierInvoice",
    v4: "SupplierInvoice",
    label: "Supplier Invoice",
    fields: &[
        field("SupplierInvoice", Text(10), "Invoice Document").key().computed(),
        field("FiscalYear", Text(4), "Fiscal Year").key().computed(),
        field("InvoicingParty", Text(10), "Invoicing Party"),
        field("DocumentDate", Date, "Invoice Date"),
        field("SupplierInvoiceIDByInvcgParty", Text(16), "Reference"),
        field("InvoiceGrossAmount", Decimal(14, 3), "Gross Amount"),
        field("DocumentCurrency", Text(5), "Currency"),
        field("SupplierInvoiceStatus", Text(1), "Status").computed(),
    ],
    links: &[],
    stamp: None,
    creatable: true,
    updatable: false,
    deletable: false,
    draft: false,
};

const REQUISITION: TableDef = TableDef {
    table: Table::Requisition,
    v2: "",
    v4: "Requisition",
    label: "Requisition",
    fields: &[
        field("Requisition", Text(10), "Requisition").key(),
        field("Title", Text(60), "Title"),
        field("Status", Text(1), "Status").computed(),
        field("NeededBy", Date, "Needed By"),
        field("Total", Decimal(15, 2), "Total"),
        field("ChangedAt", Stamp, "Changed At").computed(),
    ],
    links: &[],
    stamp: Some("ChangedAt"),
    creatable: true,
    updatable: true,
    deletable: true,
    draft: true,
};

const CATALOG_ENTRY: TableDef = TableDef {
    table: Table::CatalogEntry,
    v2: "ServiceCollection",
    v4: "ServiceCollection",
    label: "Service",
    fields: &[
        field("ID", Text(60), "ID").key().computed(),
        field("Title", Text(60), "Title").computed(),
        field("TechnicalServiceName", Text(60), "Technical Name").computed(),
        field("ServiceUrl", Text(255), "Address").computed(),
        field("IsSapService", Bool, "SAP's Own").computed(),
        field("UpdatedDate", Stamp, "Updated").computed(),
    ],
    links: &[],
    stamp: None,
    creatable: false,
    updatable: false,
    deletable: false,
    draft: false,
};

pub(super) const TABLES: [&TableDef; 12] = [
    &PARTNER,
    &CUSTOMER,
    &SUPPLIER,
    &PRODUCT,
    &SALES_ORDER,
    &SALES_ORDER_ITEM,
    &PURCHASE_ORDER,
    &PURCHASE_ORDER_ITEM,
    &BILLING_DOCUMENT,
    &SUPPLIER_INVOICE,
    &REQUISITION,
    &CATALOG_ENTRY,
];

pub(super) const SERVICES: [ServiceDef; 13] = [
    v2(
        "API_BUSINESS_PARTNER",
        &[Table::BusinessPartner, Table::Customer, Table::Supplier],
    ),
    v2("API_SALES_ORDER_SRV", &[Table::SalesOrder, Table::SalesOrderItem]),
    v2(
        "API_PURCHASEORDER_PROCESS_SRV",
        &[Table::PurchaseOrder, Table::PurchaseOrderItem],
    ),
    v2("API_PRODUCT_SRV", &[Table::Product]),
    v2("API_BILLING_DOCUMENT_SRV", &[Table::BillingDocument]),
    v2("API_SUPPLIERINVOICE_PROCESS_SRV", &[Table::SupplierInvoice]),
    ServiceDef {
        path: "/sap/opu/odata/IWFND/CATALOGSERVICE;v=2",
        v4: false,
        name: "CATALOGSERVICE",
        namespace: "CATALOGSERVICE",
        tables: &[Table::CatalogEntry],
    },
    v4(
        "/sap/opu/odata4/sap/api_business_partner/srvd_a2x/sap/businesspartner/0001",
        "BUSINESSPARTNER",
        "com.sap.gateway.srvd_a2x.businesspartner.v0001",
        &[Table::BusinessPartner, Table::Customer, Table::Supplier],
    ),
    v4(
        "/sap/opu/odata4/sap/api_salesorder/srvd_a2x/sap/salesorder/0001",
        "SALESORDER",
        "com.sap.gateway.srvd_a2x.salesorder.v0001",
        &[Table::SalesOrder, Table::SalesOrderItem],
    ),
    v4(
        "/sap/opu/odata4/sap/api_purchaseorder_2/srvd_a2x/sap/purchaseorder/0001",
        "PURCHASEORDER",
        "com.sap.gateway.srvd_a2x.purchaseorder.v0001",
        &[Table::PurchaseOrder, Table::PurchaseOrderItem],
    ),
    v4(
        "/sap/opu/odata4/sap/api_product/srvd_a2x/sap/product/0002",
        "PRODUCT",
        "com.sap.gateway.srvd_a2x.product.v0002",
        &[Table::Product],
    ),
    v4(
        "/sap/opu/odata4/sap/api_invoices/srvd_a2x/sap/invoices/0001",
        "INVOICES",
        "com.sap.gateway.srvd_a2x.invoices.v0001",
        &[Table::BillingDocument, Table::SupplierInvoice],
    ),
    v4(
        "/sap/opu/odata4/sap/zui_requisition/srvd/sap/zrequisition/0001",
        "ZREQUISITION",
        "com.sap.gateway.srvd.zrequisition.v0001",
        &[Table::Requisition],
    ),
];

const fn v2(name: &'static str, tables: &'static [Table]) -> ServiceDef {
    ServiceDef {
        path: "",
        v4: false,
        name,
        namespace: name,
        tables,
    }
}

const fn v4(path: &'static str, name: &'static str, namespace: &'static str, tables: &'static [Table]) -> ServiceDef {
    ServiceDef {
        path,
        v4: true,
        name,
        namespace,
        tables,
    }
}

impl ServiceDef {
    /// The address without a slash at its end.
    pub(super) fn root(&self) -> String {
        match self.path {
            "" => format!("/sap/opu/odata/sap/{}", self.name),
            path => path.to_owned(),
        }
    }

    pub(super) fn set(&self, name: &str) -> Option<&'static TableDef> {
        self.tables
            .iter()
            .map(|table| table.def())
            .find(|def| def.set(self.v4) == name)
    }
}

impl Table {
    pub(super) fn def(self) -> &'static TableDef {
        TABLES.iter().find(|def| def.table == self).copied().unwrap_or(&PARTNER)
    }
}

impl TableDef {
    pub(super) const fn set(&self, v4: bool) -> &'static str {
        if v4 { self.v4 } else { self.v2 }
    }

    /// The type's name, which is not the set's.
    pub(super) fn type_name(&self, v4: bool) -> String {
        match v4 {
            true => format!("{}_Type", self.v4),
            false => format!("{}Type", self.v2),
        }
    }

    pub(super) fn at(&self, name: &str, v4: bool) -> Option<usize> {
        self.fields.iter().position(|field| field.name(v4) == name)
    }

    pub(super) fn link(&self, name: &str, v4: bool) -> Option<&'static LinkDef> {
        self.links.iter().find(|link| link.name(v4) == name)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = (usize, &'static FieldDef)> {
        self.fields.iter().enumerate().filter(|(_, field)| field.key)
    }
}

impl LinkDef {
    pub(super) const fn name(&self, v4: bool) -> &'static str {
        if v4 { self.v4 } else { self.v2 }
    }
}
