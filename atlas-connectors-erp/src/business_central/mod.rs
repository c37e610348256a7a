//! Microsoft Dynamics 365 Business Central and its sign-in, Entra ID.
