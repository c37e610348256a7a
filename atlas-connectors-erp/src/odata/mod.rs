//! OData V2 and V4, shared by SAP and Business Central.
