//! Odoo 14 and later: JSON-2 where the server has it, JSON-RPC for older ones.
