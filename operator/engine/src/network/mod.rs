//! Who may talk to whom: inference of needed connections, generated NetworkPolicies, and the reachability change that they bring.
