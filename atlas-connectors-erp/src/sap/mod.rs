//! SAP OData, V2 and V4, by one connector.
