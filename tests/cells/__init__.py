"""The demo and test cells: a small multi-tenant application that speaks the contract with the router."""
