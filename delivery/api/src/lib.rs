//! The HTTP API of a running engine: server, types, client, OpenAPI document.
